"""Bodies of requests: bounded while they arrive, and given up when they stop. Nothing else reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

SILENCE: Final = 60.0
"""Seconds without a byte after which a body is given up."""
_LONGEST_NUMBER: Final = 15


class BodyError(HTTPException):
    """A body that is not taken, and why. Told as the path's clients read errors: as a page, a problem, a VOTable."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(int(status), detail)


class TooLargeError(BodyError):
    """More was sent than is taken.

    Parameters
    ----------
    largest
        Bytes that are taken.
    advice
        What to do about it.
    """

    def __init__(self, largest: int, advice: str = "") -> None:
        size = f"{largest / 1e6:.0f} MB" if largest >= 1_000_000 else f"{largest:,} bytes"
        super().__init__(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"More than {size} were sent. {advice}".rstrip()
        )


class BrokenFormError(BodyError):
    """A form that cannot be read."""

    def __init__(self, why: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {why}.")


async def pieces(request: Request, largest: int, advice: str = "") -> AsyncGenerator[bytes, None]:
    """The body of a request as it comes.

    Parameters
    ----------
    largest
        Bytes of it at the most.
    advice
        What to do when it is larger.

    Raises
    ------
    TooLargeError
        As soon as it is known to be larger.
    BodyError
        408 if it stops; 400 if the connection ends before it does.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _LONGEST_NUMBER or int(announced) > largest):
        raise TooLargeError(largest, advice)
    read, stream = 0, aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise BodyError(
                HTTPStatus.REQUEST_TIMEOUT, "What was sent stopped on the way; try again."
            ) from error
        except ClientDisconnect as error:
            # Nobody reads this, but somebody who goes away is no failure of ours.
            raise BodyError(
                HTTPStatus.BAD_REQUEST, "The connection ended before all was sent; try again."
            ) from error
        read += len(piece)
        if read > largest:
            raise TooLargeError(largest, advice)
        yield piece


async def whole(request: Request, largest: int, advice: str = "") -> bytes:
    """The body of a request, read to its end. Raises as `pieces` does."""
    body = bytearray()
    async for piece in pieces(request, largest, advice):
        body += piece
    return bytes(body)


async def fields(request: Request, largest: int, most: int, advice: str = "") -> list[tuple[str, str]]:
    """Fields of a form that is application/x-www-form-urlencoded.

    Parameters
    ----------
    most
        Fields of it at the most.

    Raises
    ------
    BodyError
        As `pieces` does.
    BrokenFormError
        If it is not UTF-8, has too many fields, or holds NUL, which no text of PostgreSQL's may.
    """
    body = await whole(request, largest, advice)
    try:
        found = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most, errors="strict")
    except ValueError as error:
        raise BrokenFormError(f"it is no UTF-8, or has more than {most} fields") from error
    if any("\0" in name or "\0" in value for name, value in found):
        raise BrokenFormError("it holds NUL")
    return found
