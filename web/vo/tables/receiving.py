"""Files that are uploaded to become tables: bounded while they arrive, kept under names of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from paws.accounts.secrets import same
from paws.vo.publish.metadata import LARGEST as LARGEST_METADATA
from web.accounts.forms import CSRF_FIELD
from web.accounts.identify import visit_of
from web.bodies import BrokenFormError, pieces
from web.problems import ProblemError
from web.vo.tables.form import ADVICE, FormReader

_OVERHEAD: Final = 500_000
_LONGEST_BOUNDARY: Final = 70
"""Bytes, of RFC 2046."""
_PIECE: Final = 1_000_000
"""Bytes that are handled at once in a thread, while the next ones arrive."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What the form brought.

    Attributes
    ----------
    fields
        Its texts.
    told_name
        What whoever sent the file calls it; empty without a file.
    metadata
        Whether a file of metadata came too.
    """

    fields: dict[str, str]
    told_name: str
    metadata: bool


def told(name: str | None) -> str:
    """Name of a file as it is shown: without folders, printable, short."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:120]


async def receive_form(request: Request, folder: Path, largest: int) -> Upload:
    """Read the form that uploads a table; its files are kept as ``table`` and ``metadata``.

    Parameters
    ----------
    folder
        Where the files go.
    largest
        Bytes of the table's file.

    Raises
    ------
    ProblemError
        415 if it is of another kind; 403 if no page of ours sent it.
    BodyError
        413, 408 or 400 if it is too large, stops, or cannot be read.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind.lower() != b"multipart/form-data":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A form with a file is multipart/form-data.")
    if not 1 <= len(options.get(b"boundary", b"")) <= _LONGEST_BOUNDARY:
        raise BrokenFormError("it does not say what parts it")
    files = {"file": (folder / "table", largest), "metadata": (folder / "metadata", LARGEST_METADATA)}
    form = FormReader(options[b"boundary"], files, lambda fields: _check_sender(request, fields))
    try:
        async for piece in _large_pieces(request, largest + LARGEST_METADATA + _OVERHEAD):
            await asyncio.to_thread(form.write, piece)
    finally:
        form.close()
    _check_sender(request, form.fields)
    if not form.complete:
        raise BrokenFormError("its end is missing")
    has_table = "file" in form.names
    return Upload(
        form.fields, (told(form.names["file"]) or "upload") if has_table else "", "metadata" in form.names
    )


def _check_sender(request: Request, fields: Mapping[str, str]) -> None:
    expected = visit_of(request).csrf_expected()
    if expected is None or not same(fields.get(CSRF_FIELD, ""), expected):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "The form is too old, or was not sent by a page of ours. Load the page again.",
        )


async def receive_body(request: Request, path: Path, largest: int) -> int:
    """Keep the body of a request as a file; returns its bytes.

    Raises
    ------
    BodyError
        413 if it is too large, 408 if it stops.
    """
    done = 0
    with path.open("wb") as file:
        async for piece in _large_pieces(request, largest):
            done += len(piece)
            await asyncio.to_thread(file.write, piece)
    return done


async def _large_pieces(request: Request, largest: int) -> AsyncGenerator[bytes, None]:
    """The body of a request in pieces of some size, while it is no larger than it may be."""
    gathered = bytearray()
    async for part in pieces(request, largest, ADVICE):
        gathered += part
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
