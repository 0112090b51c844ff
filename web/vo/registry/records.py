"""Records of the registry: VOResource 1.1, VODataService 1.1, Registry Interfaces 1.1. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from paws.settings import Settings
from paws.vo.identifiers import service_id
from web.vo.vosi import NAMESPACES as VOSI_NAMESPACES
from web.vo.vosi import capabilities_of
from web.vo.xml import Markup, element

CREATED: Final = datetime(2026, 11, 22, tzinfo=UTC)
"""When these services were first described."""
MANAGED: Final = "ivo_managed"
NAMESPACES: Final = {
    "xmlns:ri": "http://www.ivoa.net/xml/RegistryInterface/v1.0",
    "xmlns:vg": "http://www.ivoa.net/xml/VORegistry/v1.0",
    "xmlns:tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    **{name: space for name, space in VOSI_NAMESPACES.items() if name != "xmlns:vosi"},
}
_SUBJECTS: Final = ("spectroscopy", "sky-surveys", "galaxies", "optical-astronomy")
"""Terms of the Unified Astronomy Thesaurus."""


@dataclass(frozen=True)
class Record:
    """A record.

    Attributes
    ----------
    name
        Behind the authority in its identifier; empty for the authority itself.
    title, description
        As plain text, for Dublin Core.
    resource
        As VOResource.
    """

    ident: str
    name: str
    title: str
    description: str
    address: str
    updated: datetime
    resource: Markup


@dataclass(frozen=True)
class TapParts:
    """What TAP tells of itself.

    Attributes
    ----------
    capabilities
        Its capability elements.
    schemas
        The schema elements of its tables, as everybody sees them.
    """

    capabilities: Markup
    schemas: Markup


def records_of(settings: Settings, base: str, tap: TapParts, updated: datetime) -> list[Record]:
    """All records of an installation, that of its registry first.

    Parameters
    ----------
    base
        Address of the installation.
    updated
        When what they say last changed.
    """
    make = _Maker(settings, base, updated)
    return [
        make.registry(),
        make.authority(),
        make.organisation(),
        make.service(
            "tap",
            "TAP",
            "Queries in ADQL over reduced spectra, frames and tables of 2dF and AAOmega; new spectra are there within a"
            " second of their reduction.",
            f"{base}/tap",
            [tap.capabilities],
            "vs:CatalogService",
            element("tableset", None, tap.schemas) if tap.schemas else None,
        ),
        make.service(
            "ssa",
            "spectral access",
            "Reduced spectra of single fibres by position, wavelength, time and name.",
            f"{base}/ssa",
            capabilities_of("/ssa", settings, base),
            "vs:CatalogService",
        ),
        make.service(
            "scs",
            "cone search",
            "Reduced spectra of single fibres around a position.",
            f"{base}/scs",
            capabilities_of("/scs", settings, base),
            "vs:CatalogService",
        ),
        make.service(
            "datalink",
            "DataLink",
            "Everything that belongs to a spectrum: files, pictures, raw frames, calibrations, logs.",
            f"{base}/datalink/links",
            capabilities_of("/datalink", settings, base),
            "vr:Service",
        ),
        make.service(
            "soda",
            "cut-outs",
            "Parts of spectra between two wavelengths.",
            f"{base}/soda/sync",
            capabilities_of("/soda", settings, base),
            "vr:Service",
        ),
    ]


class _Maker:
    def __init__(self, settings: Settings, base: str, updated: datetime) -> None:
        self._settings = settings
        self._base = base
        self._updated = max(updated, CREATED)

    def registry(self) -> Record:
        title = f"{self._settings.vo_title}: publishing registry"
        words = "Descriptions of the services of this installation, for harvesters of registries."
        harvest = element(
            "capability",
            {"xsi:type": "vg:Harvest", "standardID": "ivo://ivoa.net/std/Registry"},
            element(
                "interface",
                {"xsi:type": "vg:OAIHTTP", "role": "std", "version": "1.0"},
                element("accessURL", {"use": "base"}, f"{self._base}/oai"),
            ),
            element("maxRecords", None, 0),
        )
        parts = (
            harvest,
            element("full", None, "false"),
            element("managedAuthority", None, self._settings.vo_authority),
        )
        return self._record("registry", "vg:Registry", title, words, f"{self._base}/oai?verb=Identify", parts)

    def authority(self) -> Record:
        parts = (element("managingOrg", None, service_id(self._settings.vo_authority, "org")),)
        title = f"Naming authority of {self._settings.vo_title}"
        words = "Under this authority identifiers of spectra and services of this installation are made."
        return self._record("", "vg:Authority", title, words, self._base, parts)

    def organisation(self) -> Record:
        words = "Who publishes the data of this installation."
        return self._record("org", "vr:Organisation", self._settings.vo_publisher, words, self._base, ())

    def service(
        self,
        name: str,
        kind: str,
        words: str,
        address: str,
        capabilities: Sequence[Markup],
        xsi_type: str,
        tableset: Markup | None = None,
    ) -> Record:
        title = f"{self._settings.vo_title}: {kind}"
        rights = element(
            "rights", None, "Spectra are public after their proprietary period; sign in to see your own."
        )
        parts: list[Markup | None] = [rights, *capabilities]
        if xsi_type == "vs:CatalogService":
            parts += [
                element("facility", None, "Anglo-Australian Telescope"),
                element("instrument", None, "2dF and AAOmega"),
                element("coverage", None, element("waveband", None, "Optical")),
                tableset,
            ]
        return self._record(name, xsi_type, title, words, address, parts)

    def _record(
        self, name: str, xsi_type: str, title: str, words: str, address: str, parts: Sequence[Markup | None]
    ) -> Record:
        settings = self._settings
        ident = service_id(settings.vo_authority, name) if name else f"ivo://{settings.vo_authority}"
        moment = f"{self._updated.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        resource = element(
            "ri:Resource",
            {
                **NAMESPACES,
                "xsi:type": xsi_type,
                "created": f"{CREATED:%Y-%m-%dT%H:%M:%SZ}",
                "updated": moment,
                "status": "active",
            },
            element("title", None, title),
            element("shortName", None, f"PAWS {name or 'authority'}"[:16]),
            element("identifier", None, ident),
            self._curation(),
            self._content(words, address, name),
            *parts,
        )
        return Record(ident, name, title, words, address, self._updated, resource)

    def _curation(self) -> Markup:
        settings = self._settings
        return element(
            "curation",
            None,
            element("publisher", {"ivo-id": service_id(settings.vo_authority, "org")}, settings.vo_publisher),
            element("creator", None, element("name", None, settings.vo_creator)),
            element("date", {"role": "Created"}, f"{CREATED:%Y-%m-%d}"),
            element(
                "contact",
                None,
                element("name", None, settings.vo_contact_name),
                element("email", None, contact_address(settings)),
            ),
        )

    def _content(self, words: str, address: str, name: str) -> Markup:
        kind = {
            "tap": "Catalog",
            "scs": "Catalog",
            "ssa": "Archive",
            "registry": "Registry",
            "": "Other",
            "org": "Organisation",
        }
        return element(
            "content",
            None,
            *(element("subject", None, subject) for subject in _SUBJECTS),
            element("description", None, words),
            element("referenceURL", None, address if name in ("", "org") else self._base),
            element("type", None, kind.get(name, "Archive")),
            element("contentLevel", None, "Research"),
        )


def contact_address(settings: Settings) -> str:
    """Address of whoever answers questions."""
    return settings.vo_contact_email or settings.mail_from
