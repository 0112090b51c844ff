"""``paws request`` against the real server: submitted once, followed to its end, with statuses that scripts rely on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from paws.commands.request import request
from paws.commands.request_client import RequestClient, address_of, selection
from paws.database import open_pool
from paws.errors import ConfigurationError, InvalidInputError, ServiceUnavailableError
from paws.settings import Settings
from tests.support.flow import Flow
from tests.support.rawfiles import raw_frame
from tests.support.reductions import FakeEngine
from tests.web.conftest import serving

NIGHT = "20260312"


@dataclass
class Place:
    url: str
    flow: Flow
    engine: FakeEngine
    pool: Any

    async def run(self, *arguments: str) -> Result:
        """The command, in a thread beside the server."""
        return await asyncio.to_thread(CliRunner().invoke, request, [*arguments, "--url", self.url])

    async def work(self) -> None:
        """What the worker and a runner do."""
        while True:
            await self.flow.run()
            await asyncio.sleep(0.05)


@pytest.fixture
async def place(database: Settings, tmp_path: Path) -> AsyncIterator[Place]:
    settings = database.model_copy(update={"match_group_quiet": 0.0, "match_wait": 0.0, "runner_attempts": 1})
    paths = []
    for run, kind in enumerate(("MFFFF", "MFARC", "MFOBJECT"), start=1):
        path = tmp_path / f"12mar1{run:04d}.fits"
        path.write_bytes(raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, EXPOSED=30.0))
        paths.append(path)
    engine = FakeEngine()
    async with open_pool(settings) as pool, serving(settings) as (address, _app):
        flow = Flow(settings, pool, engine)
        await flow.take_in(paths)
        await pool.execute("UPDATE frame SET source = 'backfill'")
        await pool.execute("DELETE FROM outbox")
        yield Place(f"http://{address}", flow, engine, pool)


def line_with(result: Result, start: str) -> str:
    """Line of the command among those that the worker in this process writes."""
    return next(line for line in result.stdout.splitlines() if line.startswith(start))


async def test_whole_run_in_one_go(place: Place) -> None:
    worker = asyncio.create_task(place.work())
    try:
        done = await place.run(
            "submit",
            "--from",
            NIGHT,
            "--to",
            NIGHT,
            "-p",
            "SKYSUB=no",
            "--title",
            "my run",
            "--wait",
            "--json",
        )
        assert done.exit_code == 0, done.output
        made = json.loads(line_with(done, '{"request_id"'))
        assert (made["state"], made["frames"], made["parameters"]) == ("Finished", 1, {"SKYSUB": False})
        listed = await place.run("list", "--state", "Finished")
        assert f"{made['request_id']}  Finished" in listed.stdout
        assert "my run" in listed.stdout
        shown = await place.run("show", made["request_id"])
        assert "4 of 4 reductions done" in shown.stdout
        assert f"/requests/{made['request_id']}" in shown.stdout

        place.engine.behaviour[len(place.engine.commands) + 1] = lambda _folder: 2
        failed = await place.run("submit", "--night", NIGHT, "-p", "VELCOR=yes", "--wait")
        assert failed.exit_code == 1
        assert "failed reduce_object of 12mar10003" in failed.stdout
        request_id = line_with(failed, "request ").split()[1].rstrip(":")
        assert (await place.run("retry", request_id)).exit_code == 0
        assert (await place.run("wait", request_id)).exit_code == 0
    finally:
        worker.cancel()


async def test_deadline_comes_first(place: Place) -> None:
    late = await place.run("submit", "--night", NIGHT, "--wait", "--deadline", "1")
    assert late.exit_code == 3
    assert "the request goes on" in late.stderr
    request_id = line_with(late, "request ").split()[1].rstrip(":")
    assert (await place.run("cancel", request_id)).exit_code == 0
    assert await place.pool.fetchval("SELECT cancel_at IS NOT NULL FROM request")


async def test_what_is_wrong_is_said(place: Place) -> None:
    for arguments, told in (
        (("submit",), "Name frames, or choose them"),
        (("submit", "x", "--night", NIGHT), "not both"),
        (("submit", "--night", NIGHT, "-p", "SKYSUB"), "NAME=VALUE"),
    ):
        found = await place.run(*arguments)
        assert found.exit_code == 2
        assert told in " ".join(found.output.replace("│", " ").split())
    for arguments, told in (
        (("submit", "--night", "19990101"), "no frame fits"),
        (("submit", "no such frame"), "1 of them do not exist"),
        (("submit", "--night", NIGHT, "-p", "IDXFILE=x"), "no such parameter"),
        (("submit", "--night", NIGHT, "--engine", "rm"), "choose one of builtin"),
        (("show", "../../etc"), "16 hexadecimal digits"),
        (("show", "0" * 16), "There is no such request"),
    ):
        found = await place.run(*arguments)
        assert isinstance(found.exception, InvalidInputError), (arguments, found.output)
        assert told in str(found.exception), arguments
    assert await place.pool.fetchval("SELECT count(*) FROM request") == 0


def client_of(*answers: httpx.Response | Exception) -> tuple[RequestClient, list[httpx.Request], list[float]]:
    asked: list[httpx.Request] = []
    slept: list[float] = []
    left = list(answers)

    def answer(sent: httpx.Request) -> httpx.Response:
        asked.append(sent)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    transport = httpx.MockTransport(answer)
    return RequestClient("http://paws", "paws_x", transport=transport, sleep=slept.append), asked, slept


def test_submission_is_tried_again_with_the_same_mark() -> None:
    client, asked, slept = client_of(
        httpx.ConnectError("away"), httpx.Response(503), httpx.Response(200, json={"request_id": "x"})
    )
    client.submit({"select": {}})
    nonces = {json.loads(one.content)["nonce"] for one in asked}
    assert len(asked) == 3
    assert len(nonces) == 1
    assert len(slept) == 2
    assert asked[0].headers["authorization"] == "Bearer paws_x"


@pytest.mark.parametrize(
    ("answers", "error", "told"),
    [
        ([httpx.ConnectError("away")] * 5, ServiceUnavailableError, "does not serve"),
        ([httpx.Response(401, json={"detail": "The token is not valid."})], ConfigurationError, "PAWS_TOKEN"),
        ([httpx.Response(302, headers={"Location": "http://evil/"})], Exception, "answers 302"),
        ([httpx.Response(200, text="<html>")], Exception, "no PAWS Live"),
        ([httpx.Response(409, json={"detail": "It has ended."})], InvalidInputError, "It has ended"),
    ],
)
def test_what_the_server_says_is_told(answers: Any, error: type[Exception], told: str) -> None:
    client, _asked, _slept = client_of(*answers)
    with pytest.raises(error, match=told):
        client.order("0" * 16, "cancel")


def test_looks_come_slower_until_the_deadline() -> None:
    found = {"state": "Running"}
    times = iter(range(0, 1000, 3))
    client, _asked, slept = client_of(*(httpx.Response(200, json=found) for _ in range(50)))
    client._clock = lambda: float(next(times))
    assert len(list(client.follow("0" * 16, 20.0))) == len(slept) + 1
    assert slept == sorted(slept)
    assert slept[-1] <= 10


def test_address_is_the_settings_or_that_of_what_runs(database: Settings) -> None:
    assert address_of("https://x.org/", database) == "https://x.org"
    assert address_of(None, database.model_copy(update={"web_url": "https://y.org"})) == "https://y.org"
    with pytest.raises(ConfigurationError, match="No web server"):
        address_of(None, database)
    with pytest.raises(ConfigurationError, match="no address"):
        address_of("x.org", database)


def test_selection_needs_more_than_a_class() -> None:
    assert selection((), None, None, (), ("MFSKY",), ("blue",)) == {}
    assert selection((NIGHT,), None, None, (), (), ("blue",)) == {"nights": [NIGHT], "arms": ["blue"]}
