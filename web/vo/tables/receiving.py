"""Files that are uploaded to become tables: bounded while they arrive, kept under names of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from paws.accounts.secrets import same
from paws.vo.publish.metadata import LARGEST as LARGEST_METADATA
from web.accounts.forms import CSRF_FIELD
from web.accounts.identify import visit_of
from web.problems import ProblemError

_OVERHEAD: Final = 100_000
_PIECE: Final = 1_000_000
_MOST_PARTS: Final = 20
_SILENCE: Final = 60.0
"""Seconds without a byte after which an upload is given up."""


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
        413, 415 or 400 if it is too large, of another kind or broken; 403 if no page of ours sent it; 408 if it stops.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A form with a file is multipart/form-data.")
    stream = _bounded(request, largest + LARGEST_METADATA + _OVERHEAD)
    parser = MultiPartParser(
        request.headers, stream, max_files=2, max_fields=_MOST_PARTS, max_part_size=_OVERHEAD
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {error.message}") from error
    try:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        _check_sender(request, fields)
        table, metadata = form.get("file"), form.get("metadata")
        has_table = await _keep(table, folder / "table", largest)
        has_metadata = await _keep(metadata, folder / "metadata", LARGEST_METADATA)
    finally:
        await form.close()
    name = table.filename if isinstance(table, UploadFile) and has_table else None
    return Upload(fields, told(name) if has_table else "", has_metadata)


def _check_sender(request: Request, fields: dict[str, str]) -> None:
    if any("\0" in value for value in fields.values()):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "The form cannot be read: it holds NUL.")
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
    ProblemError
        413 if it is too large, 408 if it stops.
    """
    done = 0
    with path.open("wb") as file:
        async for piece in _bounded(request, largest):
            done += len(piece)
            await asyncio.to_thread(file.write, piece)
    return done


async def _bounded(request: Request, largest: int) -> AsyncGenerator[bytes, None]:
    """The body of a request while it is no larger than it may be, and goes on coming."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > largest:
        raise _too_large(largest)
    read, stream = 0, aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(_SILENCE):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise ProblemError(
                HTTPStatus.REQUEST_TIMEOUT, "The upload stopped on the way; try again."
            ) from error
        read += len(piece)
        if read > largest:
            raise _too_large(largest)
        yield piece


def _too_large(largest: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"More than {largest / 1e6:.0f} MB were sent (PAWS_TAP_PUBLISH_SIZE, or your quota). Send it compressed, or"
        " fewer columns or rows.",
    )


async def _keep(sent: object, path: Path, largest: int) -> bool:
    """Keep a file of a form; whether there was one that is not empty."""
    if not isinstance(sent, UploadFile) or not sent.size:
        return False
    if sent.size > largest:
        raise _too_large(largest)
    with path.open("wb") as file:
        while piece := await sent.read(_PIECE):
            await asyncio.to_thread(_write, file, piece)
    return True


def _write(file: IO[bytes], piece: bytes) -> None:
    file.write(piece)
