"""What services beside TAP share: parameters, identifiers, headers of answers."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from paws.vo.identifiers import IdentifierError, SpectrumId, parse_publisher_did
from web.state import web_state
from web.vo.problems import OPEN_HEADERS, BadRequestError
from web.vo.tap.parameters import Parameters, read_parameters

VARY: Final = "Cookie, Authorization"
"""By what answers differ: whoever asks sees what they may see."""
_LARGEST = 100_000
"""Bytes of a form: these services take no files."""


async def parameters_of(request: Request) -> Parameters:
    """Parameters of a request, names in capitals. Files that come with it are not kept.

    Raises
    ------
    ServiceError, BodyError
        If they cannot be read, or there are too many.
    """
    found = await read_parameters(request, web_state(request).settings.work_dir / "forms", _LARGEST, _LARGEST)
    found.discard()
    return found


def identifier_in(parameters: Parameters, authority: str) -> SpectrumId:
    """The one identifier of a request (ID).

    Raises
    ------
    BadRequestError
        If it is missing, there are several, or it is none of ours.
    """
    text = parameters.one("ID")
    if text is None:
        raise BadRequestError("ID is missing: the publisher identifier of a spectrum (obs_publisher_did).")
    try:
        return parse_publisher_did(text, authority)
    except IdentifierError as error:
        raise BadRequestError(f"ID: {error.message}") from error


def answer_headers(request: Request) -> dict[str, str]:
    """Headers of an answer that is made anew each time, and differs by who asks."""
    return {"Cache-Control": "no-cache", "Vary": VARY, **open_headers(request)}


def open_headers(request: Request) -> dict[str, str]:
    """Headers that let pages of other sites read an answer.

    Not where access is open: there, whatever site somebody at that machine visits could read everything.
    """
    return dict(OPEN_HEADERS) if web_state(request).settings.access != "open" else {}
