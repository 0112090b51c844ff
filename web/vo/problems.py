"""Errors of services of the Virtual Observatory: a VOTable that says so, as DALI 1.1 asks."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from web.vo.formats.xml import error_document

MEDIA_TYPE: Final = "application/x-votable+xml"
OPEN_HEADERS: Final = {
    # Without credentials: a page elsewhere reads what a stranger reads.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Pages of other sites, such as Aladin Lite, may read answers."""

CHALLENGE: Final = 'Basic realm="PAWS Live", charset="UTF-8"'


class ServiceError(HTTPException):
    """A request that a service refuses, with the reason for whoever sent it.

    Parameters
    ----------
    detail
        What is wrong and what to do; never a text of the database's or of Python's.
    """

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(int(status), detail, dict(headers or {}))


class BadRequestError(ServiceError):
    """Parameters that cannot be used."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, detail)


class NoSuchThingError(ServiceError):
    """There is none of that name; or none for whoever asks."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, detail)


def error_response(
    detail: str, status: int, headers: Mapping[str, str] | None = None, *, readable: bool = True
) -> Response:
    """The answer that tells of an error.

    Parameters
    ----------
    readable
        Whether pages of other sites may read it.
    """
    more = {**(OPEN_HEADERS if readable else {}), "Cache-Control": "no-store", **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        more["WWW-Authenticate"] = CHALLENGE
    return Response(error_document(detail), status, more, MEDIA_TYPE)
