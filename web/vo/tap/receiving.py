"""Taking in what requests send: in turns, so that uploads of many do not fill the disk together."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request

from paws.vo.jobs import spool_folder
from web.state import web_state
from web.vo.problems import ServiceError
from web.vo.tap.asker import asker_of
from web.vo.tap.parameters import Parameters, read_parameters
from web.vo.tap.turns import TooManyError

_MB = 1_000_000


async def receive(request: Request) -> Parameters:
    """Parameters of a request, with the files that came along.

    Raises
    ------
    ServiceError, BodyError
        If they cannot be read, are too large, or there are too many at the moment.
    """
    state = web_state(request)
    settings, folder = state.settings, spool_folder(state.settings)
    largest = settings.tap_upload_size * _MB
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return await read_parameters(request, folder, largest, settings.tap_query_length)
    try:
        async with state.tap.receiving.turn(asker_of(request).key):
            if await asyncio.to_thread(held, folder) > settings.tap_user_size * _MB:
                raise _busy()
            return await read_parameters(request, folder, largest, settings.tap_query_length)
    except TooManyError as error:
        raise _busy() from error


def held(folder: Path) -> int:
    """Bytes of uploads and answers that are under way."""
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError:
        # One of them ended meanwhile: the next look tells.
        return 0


def _busy() -> ServiceError:
    return ServiceError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "There are too many uploads at the moment. Try again in a moment.",
        {"Retry-After": "10"},
    )
