"""Capabilities and availability of the services beside TAP (VOSI 1.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paws.settings import Settings
from web.state import web_state
from web.vo.datalink.descriptors import LINKS_PATH, LINKS_STANDARD, LINKS_TYPE, SODA_PATH, SODA_STANDARD
from web.vo.scs.handlers import MOST_RECORDS as MOST_CONE_RECORDS
from web.vo.scs.handlers import PATH as CONE_PATH
from web.vo.service import open_headers
from web.vo.spectra.files import FITS, PNG, VOTABLE
from web.vo.ssa.question import DEFAULT_SIZE, MAXREC, MOST_RECORDS
from web.vo.tap.about import availability
from web.vo.tap.asker import base_of
from web.vo.tap.capabilities import BASIC, vosi_capability
from web.vo.xml import XSI, Markup, document, element

NAMESPACES: Final = {
    "xmlns:vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
    "xmlns:vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xmlns:ssap": "http://www.ivoa.net/xml/SSA/v1.1",
    "xmlns:cs": "http://www.ivoa.net/xml/ConeSearch/v1.0",
    "xmlns:xsi": XSI,
}
XML: Final = "text/xml; charset=utf-8"
SSA_PATH: Final = "/ssa"
_VOSI: Final = "ivo://ivoa.net/std/VOSI#"


def vosi_routes() -> list[Route]:
    """Routes of what each service says of itself."""
    found = []
    for root in _SERVICES:
        found.append(
            Route(f"{root}/capabilities", _capabilities(root), methods=["GET"], name=f"vo:{root}:can")
        )
        found.append(Route(f"{root}/availability", availability, methods=["GET"], name=f"vo:{root}:now"))
    return found


def capabilities_of(root: str, settings: Settings, base: str) -> list[Markup]:
    """Capability elements of a service, with those of VOSI.

    Parameters
    ----------
    root
        Path of the service: ``/ssa``, ``/scs``, ``/datalink`` or ``/soda``.
    base
        Address of the installation.
    """
    return [
        _SERVICES[root](settings, base),
        vosi_capability(f"{_VOSI}capabilities", f"{base}{root}/capabilities"),
        vosi_capability(f"{_VOSI}availability", f"{base}{root}/availability"),
    ]


def _capabilities(root: str) -> Callable[[Request], Awaitable[Response]]:
    async def capabilities(request: Request) -> Response:
        found = capabilities_of(root, web_state(request).settings, base_of(request))
        text = document(element("vosi:capabilities", NAMESPACES, *found))
        return Response(text, 200, {"Cache-Control": "no-cache", **open_headers(request)}, XML)

    return capabilities


def security(settings: Settings) -> list[Markup]:
    """Ways to sign in. An empty one says that nobody has to."""
    if not settings.needs_accounts:
        return []
    return [element("securityMethod"), element("securityMethod", {"standardID": BASIC})]


def _interface(
    settings: Settings, address: str, result_type: str, *params: Markup, version: str | None = None
) -> Markup:
    return element(
        "interface",
        {"xsi:type": "vs:ParamHTTP", "role": "std", "version": version},
        element("accessURL", {"use": "base"}, address),
        *security(settings),
        element("queryType", None, "GET"),
        element("queryType", None, "POST"),
        element("resultType", None, result_type),
        *params,
    )


def _param(
    name: str,
    datatype: str,
    description: str,
    *,
    use: str = "optional",
    unit: str | None = None,
    ucd: str | None = None,
) -> Markup:
    return element(
        "param",
        {"use": use, "std": "true"},
        element("name", None, name),
        element("description", None, description),
        element("unit", None, unit) if unit else None,
        element("ucd", None, ucd) if ucd else None,
        element("dataType", None, datatype),
    )


def _ssa(settings: Settings, base: str) -> Markup:
    params = (
        _param("POS", "string", "Right ascension and declination, degrees, ICRS", ucd="pos.eq"),
        _param(
            "SIZE", "real", f"Diameter of the circle around POS; {DEFAULT_SIZE} when not given", unit="deg"
        ),
        _param("BAND", "string", "Wavelengths in vacuum, or blue, red", unit="m", ucd="em.wl"),
        _param("TIME", "string", "Range of dates, UTC", ucd="time"),
        _param("FORMAT", "string", "Formats of spectra"),
        _param("TARGETNAME", "string", "Name of the target", ucd="meta.id;src"),
        _param("MAXREC", "integer", "Rows of the answer at most"),
    )
    return element(
        "capability",
        {"standardID": "ivo://ivoa.net/std/SSA", "xsi:type": "ssap:SimpleSpectralAccess"},
        _interface(settings, f"{base}{SSA_PATH}?", VOTABLE, *params, version="1.1"),
        element("complianceLevel", None, "query"),
        element("dataSource", None, "pointed"),
        element("creationType", None, "archival"),
        element("supportedFrame", None, "ICRS"),
        element("maxSearchRadius", None, "180"),
        element("maxRecords", None, MOST_RECORDS),
        element("defaultMaxRecords", None, MAXREC),
        element("maxAperture", None, "360"),
        element("testQuery", None, element("queryDataCmd", None, "MAXREC=1")),
    )


def _cone(settings: Settings, base: str) -> Markup:
    params = (
        _param("RA", "real", "Right ascension, ICRS", use="required", unit="deg", ucd="pos.eq.ra"),
        _param("DEC", "real", "Declination, ICRS", use="required", unit="deg", ucd="pos.eq.dec"),
        _param("SR", "real", "Radius; 0 asks for the columns alone", use="required", unit="deg"),
        _param("VERB", "integer", "Columns: 1 the least, 2 the usual, 3 all"),
        _param("MAXREC", "integer", "Rows of the answer at most"),
    )
    # Wherever the spectra of an installation lie, a test of the whole sky finds one.
    everywhere = {"ra": 0, "dec": 0, "sr": 180, "verb": 1, "extras": "MAXREC=1"}
    return element(
        "capability",
        {"standardID": "ivo://ivoa.net/std/ConeSearch", "xsi:type": "cs:ConeSearch"},
        _interface(settings, f"{base}{CONE_PATH}?", VOTABLE, *params, version="1.03"),
        element("maxSR", None, 180),
        element("maxRecords", None, MOST_CONE_RECORDS),
        element("verbosity", None, "true"),
        element("testQuery", None, *(element(name, None, value) for name, value in everywhere.items())),
    )


def _links(settings: Settings, base: str) -> Markup:
    params = (
        _param(
            "ID", "string", "Publisher identifier of a spectrum; may be repeated", ucd="meta.id;meta.main"
        ),
        _param("RESPONSEFORMAT", "string", "Format of the answer"),
        _param("MAXREC", "integer", "Rows of the answer at most"),
    )
    return element(
        "capability",
        {"standardID": LINKS_STANDARD},
        _interface(settings, f"{base}{LINKS_PATH}", LINKS_TYPE, *params, version="1.1"),
    )


def _soda(settings: Settings, base: str) -> Markup:
    params = (
        _param("ID", "string", "Publisher identifier of a spectrum", use="required", ucd="meta.id;meta.main"),
        _param(
            "BAND", "real", "Lowest and highest wavelength in vacuum", unit="m", ucd="em.wl;stat.interval"
        ),
        _param("RESPONSEFORMAT", "string", f"{FITS}, {VOTABLE} or {PNG}"),
    )
    return element(
        "capability",
        {"standardID": SODA_STANDARD},
        _interface(settings, f"{base}{SODA_PATH}", FITS, *params, version="1.0"),
    )


_SERVICES: Final[dict[str, Callable[[Settings, str], Markup]]] = {
    SSA_PATH: _ssa,
    CONE_PATH: _cone,
    "/datalink": _links,
    "/soda": _soda,
}
