"""What the service can do, as VOSI 1.1 and TAPRegExt 1.0 write it: made from what is implemented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from adql.features import Feature
from paws.settings import Settings
from web.vo.formats import FORMATS, Format
from web.vo.xml import XSI, Markup, document, element

NAMESPACES: Final = {
    "xmlns:vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
    "xmlns:vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xmlns:tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    "xmlns:xsi": XSI,
}
BASIC: Final = "ivo://ivoa.net/sso#BasicAA"
_MODELS: Final = {"ivoa.obscore": ("ivo://ivoa.net/std/ObsCore#core-1.1", "ObsCore-1.1")}
"""Data models, by the table that holds one."""
_UNKNOWN: Final = frozenset({"ivo://ivoa.net/std/TAPRegExt#features-adql-conditional"})
"""Kinds of features that validators take for an error, being older than ADQL 2.1: COALESCE works undeclared."""
_UPLOADS: Final = ("inline", "http", "https")


def capabilities_document(
    settings: Settings, base: str, tables: Iterable[str], features: Mapping[str, Sequence[Feature]]
) -> bytes:
    """The capabilities of the query service.

    Parameters
    ----------
    base
        Address of the installation.
    tables
        That whoever asks sees: they tell which data models there are.
    features
        By the identifier of their kind.
    """
    tap = f"{base}/tap"
    return document(
        element(
            "vosi:capabilities",
            NAMESPACES,
            _tap(settings, tap, {name.lower() for name in tables}, features),
            vosi_capability("ivo://ivoa.net/std/VOSI#capabilities", f"{tap}/capabilities"),
            vosi_capability("ivo://ivoa.net/std/VOSI#availability", f"{tap}/availability"),
            vosi_capability("ivo://ivoa.net/std/VOSI#tables-1.1", f"{tap}/tables"),
            vosi_capability("ivo://ivoa.net/std/DALI#examples", f"{tap}/examples", "vr:WebBrowser"),
        )
    )


def vosi_capability(standard: str, address: str, kind: str = "vs:ParamHTTP") -> Markup:
    """A capability that is one address, open to everyone."""
    return element(
        "capability",
        {"standardID": standard},
        element(
            "interface", {"xsi:type": kind, "role": "std"}, element("accessURL", {"use": "full"}, address)
        ),
    )


def _tap(
    settings: Settings, address: str, tables: set[str], features: Mapping[str, Sequence[Feature]]
) -> Markup:
    models = [model for table, model in _MODELS.items() if table in tables]
    return element(
        "capability",
        {"standardID": "ivo://ivoa.net/std/TAP", "xsi:type": "tr:TableAccess"},
        element(
            "interface",
            {"xsi:type": "vs:ParamHTTP", "role": "std", "version": "1.1"},
            element("accessURL", {"use": "base"}, address),
            *_security(settings),
        ),
        *(element("dataModel", {"ivo-id": ivo_id}, name) for ivo_id, name in models),
        _language(features),
        *(_output(form) for form in FORMATS),
        *(
            element("uploadMethod", {"ivo-id": f"ivo://ivoa.net/std/TAPRegExt#upload-{method}"})
            for method in _UPLOADS
            if settings.tap_upload_tables
        ),
        _limit("retentionPeriod", settings.tap_destruction, settings.tap_destruction_max),
        _limit("executionDuration", settings.tap_async_timeout, settings.tap_async_timeout_max),
        _limit("outputLimit", settings.tap_maxrec, settings.tap_maxrec_max, "row"),
        _limit(
            "uploadLimit", settings.tap_upload_size * 1_000_000, settings.tap_upload_size * 1_000_000, "byte"
        ),
    )


def _security(settings: Settings) -> list[Markup]:
    """Ways to sign in. An empty one says that nobody has to."""
    if not settings.needs_accounts:
        return []
    return [
        element("securityMethod"),
        element("securityMethod", {"standardID": BASIC}),
    ]


def _language(features: Mapping[str, Sequence[Feature]]) -> Markup:
    return element(
        "language",
        None,
        element("name", None, "ADQL"),
        element("version", {"ivo-id": "ivo://ivoa.net/std/ADQL#v2.0"}, "2.0"),
        element("version", {"ivo-id": "ivo://ivoa.net/std/ADQL#v2.1"}, "2.1"),
        element("description", None, "Astronomical Data Query Language 2.1; queries in 2.0 are understood."),
        *(
            element(
                "languageFeatures",
                {"type": kind},
                *(
                    element(
                        "feature",
                        None,
                        element("form", None, feature.form),
                        element("description", None, feature.description) if feature.description else None,
                    )
                    for feature in found
                ),
            )
            for kind, found in features.items()
            if found and kind not in _UNKNOWN
        ),
    )


def _output(form: Format) -> Markup:
    return element(
        "outputFormat",
        {"ivo-id": form.ivo_id},
        element("mime", None, form.media_type),
        *(element("alias", None, alias) for alias in form.aliases),
    )


def _limit(name: str, usual: float, most: float, unit: str | None = None) -> Markup:
    attributes = {"unit": unit}
    return element(
        name,
        None,
        element("default", attributes, int(min(usual, most))),
        element("hard", attributes, int(most)),
    )
