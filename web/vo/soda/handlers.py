"""``/soda/sync``: part of a spectrum between two wavelengths."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.state import web_state
from web.vo.datalink.descriptors import SODA_PATH
from web.vo.problems import BadRequestError
from web.vo.service import identifier_in, parameters_of
from web.vo.soda.band import read_band
from web.vo.spectra.files import FITS, PNG, VOTABLE
from web.vo.spectra.handlers import answer, seen_record
from web.vo.spectra.making import Wish
from web.vo.tap.parameters import Parameters

FORMATS: Final = {
    FITS: FITS,
    "fits": FITS,
    "image/fits": FITS,
    VOTABLE: VOTABLE,
    "votable": VOTABLE,
    "text/xml": VOTABLE,
    PNG: PNG,
    "png": PNG,
}
"""What RESPONSEFORMAT may be, and what it stands for."""
_CANNOT: Final = ("POS", "CIRCLE", "POLYGON", "TIME", "POL")


def soda_routes() -> list[Route]:
    """Routes of cut-outs."""
    return [Route(SODA_PATH, cut, methods=["GET", "POST"], name="vo:soda")]


async def cut(request: Request) -> Response:
    """The part of a spectrum that lies within BAND: 204 when there is none, the whole without BAND."""
    parameters = await parameters_of(request)
    wish = read_wish(parameters)
    named = identifier_in(parameters, web_state(request).settings.vo_authority)
    return await answer(request, await seen_record(request, named), wish)


def read_wish(parameters: Parameters) -> Wish:
    """What is to be made.

    Raises
    ------
    BadRequestError
        If a parameter is wrong, or asks for what a spectrum has not.
    """
    for name in _CANNOT:
        if parameters.one(name) is not None:
            raise BadRequestError(f"{name}: spectra of single fibres are cut in wavelength alone (BAND).")
    name = (parameters.one("RESPONSEFORMAT") or parameters.one("FORMAT") or FITS).strip().lower()
    media_type = FORMATS.get(name.partition(";")[0].strip())
    if media_type is None:
        raise BadRequestError(
            f"RESPONSEFORMAT {name[:60]!r} is not written here; take {FITS}, {VOTABLE} or {PNG}."
        )
    band = parameters.one("BAND")
    return Wish(media_type, band=None if band is None else read_band(band))
