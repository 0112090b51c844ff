"""Parameters as DALI has them: names in any case, from the address and from forms, bounded while they arrive."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from web.bodies import BrokenFormError, TooLargeError, fields, pieces
from web.vo.problems import BadRequestError, ServiceError

_MOST: Final = 200
"""Parameters of one request."""
_OVERHEAD: Final = 1_000_000
"""Bytes of a multipart form beside what it uploads."""
_ADVICE: Final = "Upload less, or publish the table first."
_PIECE: Final = 1_000_000
_FIELD: Final = 8_000_000
"""Bytes of a part that does not call itself a file: it is held in memory."""
_WHOLE: Final = re.compile(r"\s*\+?[0-9]{1,18}\s*", re.ASCII)


@dataclass
class Parameters:
    """Parameters of one request, names in capitals, and the files that came with them."""

    items: list[tuple[str, str]]
    files: dict[str, Path] = field(default_factory=dict)

    def all(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for key, value in self.items if key == name]

    def one(self, name: str) -> str | None:
        """The value of a parameter, None where it is not given or empty.

        Raises
        ------
        BadRequestError
            If it has several values.
        """
        values = {value for value in self.all(name) if value.strip()}
        if len(values) > 1:
            raise BadRequestError(f"{name} is given more than once, with different values. Give it once.")
        return values.pop() if values else None

    def most_rows(self, default: int, most: int) -> int:
        """Rows that are wanted at the most (MAXREC), no more than `most` of them.

        Raises
        ------
        BadRequestError
            If it is no number.
        """
        text = self.one("MAXREC")
        if text is None:
            return min(default, most)
        if not _WHOLE.fullmatch(text):
            raise BadRequestError(f"MAXREC is a whole number of rows, not {text[:40]!r}.")
        return min(int(text), most)

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(path.stat().st_size for path in self.files.values())

    def discard(self) -> None:
        """Remove files that nobody took."""
        for path in self.files.values():
            path.unlink(missing_ok=True)


async def read_parameters(request: Request, folder: Path, largest: int, longest: int) -> Parameters:
    """Parameters of a request: those of its address, then those of its form.

    Parameters
    ----------
    folder
        Where files are kept that come with it; whoever calls moves or discards them.
    largest
        Bytes of all files together.
    longest
        Characters of the query; forms may be somewhat longer.

    Raises
    ------
    ServiceError
        400 or 415 if there are too many of them, or they are of another kind.
    BodyError
        413, 408 or 400 if they are too large, stop, or cannot be read.
    """
    items = [(name, value) for name, value in request.query_params.multi_items()]
    parameters = Parameters(_checked(items))
    if request.method not in ("POST", "PUT"):
        return parameters
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        try:
            await _read_multipart(request, parameters, folder, largest)
        except BaseException:
            parameters.discard()
            raise
    elif kind == "application/x-www-form-urlencoded":
        parameters.items += _checked(await fields(request, 4 * longest + _OVERHEAD, _MOST, _ADVICE))
    elif await _has_body(request):
        raise ServiceError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Send parameters as application/x-www-form-urlencoded, or as multipart/form-data with uploads.",
        )
    return parameters


async def _has_body(request: Request) -> bool:
    async for part in pieces(request, _FIELD):
        if part:
            return True
    return False


def _checked(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    found = [(name.upper(), value) for name, value in items]
    if len(found) > _MOST:
        raise BadRequestError(f"There are more than {_MOST} parameters.")
    # PostgreSQL's text has no NUL.
    if any("\0" in name or "\0" in value for name, value in found):
        raise BadRequestError("A parameter holds the character NUL.")
    if not all(_is_text(name) and _is_text(value) for name, value in found):
        raise BadRequestError("A parameter holds half a character (a lone surrogate). Send UTF-8.")
    return found


def _is_text(value: str) -> bool:
    """Whether a text can be written: parts of a form in encodings of their own may decode to what is none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _read_multipart(request: Request, parameters: Parameters, folder: Path, largest: int) -> None:
    parser = MultiPartParser(
        request.headers,
        pieces(request, largest + _OVERHEAD, _ADVICE),
        max_files=_MOST,
        max_fields=_MOST,
        max_part_size=min(largest, _FIELD),
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "exceeded maximum size" in error.message:
            raise TooLargeError(min(largest, _FIELD), _ADVICE) from error
        raise BrokenFormError(error.message.rstrip(".")) from error
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                await _keep(name, value, parameters, folder)
            else:
                parameters.items += _checked([(name, value)])
    finally:
        await form.close()
    if len(parameters.items) > _MOST:
        raise BadRequestError(f"There are more than {_MOST} parameters.")


async def _keep(name: str, sent: UploadFile, parameters: Parameters, folder: Path) -> None:
    """Keep a file that came with a form, under a name of ours."""
    _checked([(name, "")])
    if name in parameters.files:
        raise BadRequestError(f"Two parts of the form are called {name[:60]!r}.")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    handle = tempfile.NamedTemporaryFile(dir=folder, prefix="part-", delete=False)  # noqa: SIM115 - kept on
    parameters.files[name] = Path(handle.name)
    with handle:
        while piece := await sent.read(_PIECE):
            handle.write(piece)
