"""Service descriptors: what a result says of services that take identifiers from its columns (DataLink 1.1, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from web.vo.formats.values import Described
from web.vo.formats.xml import field_ids
from web.vo.xml import Markup, element

LINKS_STANDARD: Final = "ivo://ivoa.net/std/DataLink#links-1.1"
SODA_STANDARD: Final = "ivo://ivoa.net/std/SODA#sync-1.0"
LINKS_TYPE: Final = "application/x-votable+xml;content=datalink"
LINKS_PATH: Final = "/datalink/links"
SODA_PATH: Final = "/soda/sync"
SPECTRUM_FORMATS: Final = {
    "application/fits": "FITS binary table",
    "application/x-votable+xml": "VOTable",
}
"""What spectra are written as, by media type."""

_DID_UTYPES: Final = ("obscore:curation.publisherdid", "ssa:curation.publisherdid", "curation.publisherdid")


def descriptors_for(columns: Sequence[Described], base: str) -> tuple[str, ...]:
    """Descriptors for a result: links and cut-outs where a column holds publisher identifiers, else none.

    Put them into `web.vo.formats.ResultInfo.descriptors`.

    Parameters
    ----------
    columns
        Of the result, in their order.
    base
        Address of the installation, without a slash at its end.
    """
    for column, ident in zip(columns, field_ids(columns), strict=True):
        if column.datatype in ("char", "unicodeChar") and _holds_identifiers(column):
            return links_descriptor(base, ident), cutout_descriptor(base, ref=ident)
    return ()


def _holds_identifiers(column: Described) -> bool:
    return (column.utype or "").lower() in _DID_UTYPES or column.name.lower() == "obs_publisher_did"


def links_descriptor(base: str, ref: str) -> Markup:
    """Descriptor of the links service.

    Parameters
    ----------
    ref
        XML identifier of the FIELD that holds publisher identifiers.
    """
    return _service(
        "datalink",
        "Everything that belongs to a spectrum: its file, a picture, raw frames, calibrations, logs.",
        (
            _text_param("standardID", LINKS_STANDARD),
            _text_param("accessURL", f"{base}{LINKS_PATH}", ucd="meta.ref.url"),
            _text_param("contentType", LINKS_TYPE, ucd="meta.code.mime"),
        ),
        (_identifier(ref=ref),),
        "links_service",
    )


def cutout_descriptor(
    base: str,
    *,
    ref: str | None = None,
    did: str | None = None,
    band: tuple[float, float] | None = None,
    ident: str = "cutout_service",
) -> Markup:
    """Descriptor of cut-outs in wavelength.

    Parameters
    ----------
    ref
        XML identifier of the FIELD that holds publisher identifiers.
    did
        Or the one identifier that it is for.
    band
        Range of that spectrum, metres in vacuum.
    ident
        XML identifier of the descriptor, for rows that refer to it.
    """
    return _service(
        "cutout",
        "Part of a spectrum between two wavelengths.",
        (
            _text_param("standardID", SODA_STANDARD),
            _text_param("accessURL", f"{base}{SODA_PATH}", ucd="meta.ref.url"),
        ),
        (_identifier(ref=ref, value=did or ""), _band(band), _response_format()),
        ident,
    )


def _band(limits: tuple[float, float] | None) -> Markup:
    attributes = {
        "name": "BAND",
        "datatype": "double",
        "arraysize": "2",
        "xtype": "interval",
        "unit": "m",
        "ucd": "em.wl;stat.interval",
        "value": "",
    }
    words = "Wavelengths in vacuum to keep: lowest and highest; -Inf and +Inf leave an end open."
    ends = zip(("MIN", "MAX"), limits or (), strict=False)
    values = [element(name, {"value": f"{end:.10g}"}) for name, end in ends]
    return element(
        "PARAM", attributes, _described(words), element("VALUES", None, *values) if values else None
    )


def _response_format() -> Markup:
    options = [
        element("OPTION", {"name": words, "value": media_type})
        for media_type, words in SPECTRUM_FORMATS.items()
    ]
    return element(
        "PARAM",
        {
            "name": "RESPONSEFORMAT",
            "datatype": "char",
            "arraysize": "*",
            "ucd": "meta.code.mime",
            "value": "",
        },
        _described("Format of the answer; FITS when not given."),
        element("VALUES", None, *options),
    )


def _service(
    name: str, description: str, told: Sequence[Markup], inputs: Sequence[Markup], ident: str
) -> Markup:
    return element(
        "RESOURCE",
        {"type": "meta", "utype": "adhoc:service", "name": name, "ID": ident},
        _described(description),
        *told,
        element("GROUP", {"name": "inputParams"}, *inputs),
    )


def _identifier(*, ref: str | None = None, value: str = "") -> Markup:
    attributes = {"name": "ID", "datatype": "char", "arraysize": "*", "ucd": "meta.id;meta.main"}
    return element("PARAM", {**attributes, "ref": ref, "value": value})


def _text_param(name: str, value: str, *, ucd: str | None = None) -> Markup:
    return element("PARAM", {"name": name, "datatype": "char", "arraysize": "*", "ucd": ucd, "value": value})


def _described(text: str) -> Markup:
    return element("DESCRIPTION", None, text)
