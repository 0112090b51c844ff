"""A database that goes away in the middle of anything: every page and answer says so, and none breaks."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from starlette.routing import Route

from paws.database import DATABASE_TROUBLES
from tests.web.conftest import Site, running
from web import problems

FILLED = {
    "night": "20260312",
    "product_id": "x",
    "frame_id": "x",
    "job_key": "0" * 64,
    "request_id": "0123456789abcdef",
    "proposal": "A",
}

TROUBLES = [
    ConnectionRefusedError("refused"),
    TimeoutError(),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.InterfaceError("cannot perform operation: the connection is closed"),
    asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
    asyncpg.DiskFullError("could not extend file: No space left on device"),
]


class TroubledPool:
    """A pool that cannot do anything."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def refuse(*_arguments: object, **_keywords: object) -> Any:
            raise self._error

        return refuse


def test_all_troubles_are_of_a_kind_that_is_met_everywhere():
    assert all(isinstance(error, DATABASE_TROUBLES) for error in TROUBLES)


async def test_every_answer_says_that_the_database_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A traceback for each page takes longer than the page.
    monkeypatch.setattr(problems.log, "error", lambda *_arguments, **_keywords: None)
    # What asyncpg says when the server dies between two steps of a query: the one that is easily forgotten.
    forgotten = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    async with running(site.settings) as (app, client):
        state = app.state.web
        sound, state.pool = state.pool, TroubledPool(forgotten)
        try:
            for route in app.routes:
                if not isinstance(route, Route) or "GET" not in (route.methods or ()):
                    continue
                path = route.path
                for name in route.param_convertors:
                    path = path.replace("{" + name + "}", FILLED.get(name, "x"))
                answer = await client.get(path)
                assert answer.status_code != 500, f"{path}: {answer.text[:400]}"
            assert (await client.get("/healthz")).status_code == 503
            for error in TROUBLES:
                state.pool = TroubledPool(error)
                told = await client.get("/api/frames")
                assert (told.status_code, told.json()["status"]) == (503, 503), repr(error)
            page = await client.get("/nights")
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
            assert "does not answer" in page.text
        finally:
            state.pool = sound
        assert (await client.get("/nights")).status_code == 200
