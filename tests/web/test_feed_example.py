"""The example in the documentation of the feed works, and says what the documentation says."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from paws.accounts.secrets import digest
from paws.database import prepare_connection
from paws.settings import Settings
from tests.support.night_plan import NIGHT
from tests.support.night_rows import change_frame, write_night
from tests.support.people import THEIR_FIELD, populate
from tests.web.conftest import Site, serving
from web.live.feed import _POLL_ALONE
from web.live.socket import ENDED_CODE, HEARTBEAT, SEND_DEADLINE, parse_question

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def follow() -> Any:
    spec = importlib.util.spec_from_file_location("follow_night", DOCS / "examples" / "follow_night.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.follow


async def taken(stream: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(120):
        return [await anext(stream) for _ in range(count)]


async def test_the_example_follows_a_night_and_comes_back(own_site: Site, follow: Any) -> None:
    connection = await asyncpg.connect(own_site.settings.require_database())
    await prepare_connection(connection)
    frame = own_site.frame(14, "blue")
    try:
        async with serving(own_site.settings) as (address, app):
            stream = follow(f"http://{address}", NIGHT)
            frames = await taken(stream, len(own_site.rows.frames))
            assert {one["frame_id"] for one in frames} == {
                one.frame_id for one in own_site.rows.frames.values()
            }
            await change_frame(connection, frame, "waiting", "still no arc")
            (told,) = await taken(stream, 1)
            assert (told["frame_id"], told["reason"]) == (frame, "still no arc")
            assert told["exposed"] > 0, "the whole frame is told"
            # The connection dies while something happens: that alone is told when it is back.
            for task in [one for one in asyncio.all_tasks() if "websocket" in repr(one.get_coro()).lower()]:
                task.cancel()
            await change_frame(connection, frame, "waiting", "an arc is coming")
            (told,) = await taken(stream, 1)
            assert told["reason"] == "an arc is coming"
            for client in app.state.web.hub.everyone():
                client.end()
            with pytest.raises(SystemExit):
                await taken(stream, 1)
    finally:
        await connection.close()


async def test_the_example_sees_what_its_token_may(database: Settings, follow: Any) -> None:
    rows = await write_night(database, with_files=False)
    await populate(database)
    connection = await asyncpg.connect(database.require_database())
    secret = "paws_" + "x" * 43
    await connection.execute(
        "INSERT INTO api_token (token_hash, hint, account_id, name, scopes, expires_at)"
        " SELECT $1, 'paws_', account_id, 'example', '{read}', now() + interval '1 day' FROM account WHERE name = 'lea'",
        digest(secret),
    )
    await connection.close()
    async with serving(database.model_copy(update={"access": "accounts"})) as (address, _app):
        stream = follow(f"http://{address}", NIGHT, secret)
        theirs = [one for one in rows.frames.values() if one.field in ("", THEIR_FIELD)]
        frames = await taken(stream, len(theirs))
        assert {one["frame_id"] for one in frames} == {one.frame_id for one in theirs}
        await stream.aclose()
        async with httpx.AsyncClient() as client:
            head = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
            head["Sec-WebSocket-Key"] = "x3JJHMbDL1EzLkh9GBhXDw=="
            wrong = await client.get(f"http://{address}/ws/status?nights=1", headers=head)
            assert wrong.status_code == 403


def test_the_documentation_has_the_numbers_of_the_program() -> None:
    text = (DOCS / "reference" / "feed.md").read_text()
    assert f"code {ENDED_CODE}" in text.replace("\n", " ")
    assert f"within {SEND_DEADLINE:g} s" in text
    assert HEARTBEAT == 10
    assert "nothing happened for ten seconds" in text
    assert _POLL_ALONE == 0.25
    assert f"{Settings.model_fields['web_queue'].default} events" in text
    parameters = re.findall(r"^\| `(\w+)` \| (?:`YYYYMMDD`|number)", text, re.MULTILINE)
    assert parse_question({parameters[0]: NIGHT, parameters[1]: "1"}).since == 1
