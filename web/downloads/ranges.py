"""Which part of something a client wants: Range and If-Range of RFC 9110."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

_ONE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """The answer to a request for something of a size.

    Attributes
    ----------
    start, end
        Bytes from `start` up to, without, `end`.
    """

    status: HTTPStatus
    start: int
    end: int

    def headers(self, size: int) -> dict[str, str]:
        """Headers that say so."""
        if self.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
        told = {"Content-Length": str(self.end - self.start)}
        if self.status is HTTPStatus.PARTIAL_CONTENT:
            told["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{size}"
        return told


def wanted(size: int, etag: str, range_header: str | None, if_range: str | None) -> Wanted:
    """Decide what is sent.

    A range is honoured when it is a single one and the client's copy, if it names it, is of the same content: of
    something else it gets the whole. Several ranges at once are answered with the whole, which the standard allows.
    """
    whole = Wanted(HTTPStatus.OK, 0, size)
    if range_header is None or (if_range is not None and if_range.strip() != etag):
        return whole
    found = _ONE.fullmatch(range_header)
    if found is None or not any(found.groups()):
        return whole
    first, last = found.groups()
    refused = Wanted(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, 0)
    if not first:
        length = min(int(last), size)
        return Wanted(HTTPStatus.PARTIAL_CONTENT, size - length, size) if length else refused
    start = int(first)
    if last and int(last) < start:
        return whole
    if start >= size:
        return refused
    return Wanted(HTTPStatus.PARTIAL_CONTENT, start, min(int(last) + 1, size) if last else size)
