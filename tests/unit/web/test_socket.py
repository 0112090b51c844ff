from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest

from tests.support.sights import ALL, SnapshotText, newest_of_nothing
from web.live.hub import Client, Hub
from web.live.snapshot import SnapshotDesk
from web.live.socket import BadQuestionError, Question, parse_question, tell


@pytest.mark.parametrize(
    ("query", "question"),
    [
        ({}, Question(None, None)),
        ({"night": "20260312"}, Question("20260312", None)),
        ({"night": "20260312", "since": "17"}, Question("20260312", 17)),
        ({"since": "0"}, Question(None, 0)),
    ],
)
def test_good_questions(query: dict[str, str], question: Question) -> None:
    assert parse_question(query) == question


@pytest.mark.parametrize(
    "query",
    [
        {"night": "2026-03-12"},
        {"night": "٢٠٢٦٠٣١٢"},
        {"night": "20260312\n"},
        {"since": "-1"},
        {"since": "1e9"},
        {"since": "9" * 17},
        {"since": ""},
        {"token": "x"},
    ],
)
def test_wrong_questions_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadQuestionError):
        parse_question(query)


class Sink:
    """Keeps what is sent; can be made to block."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send_text(self, data: str) -> None:
        await self.open.wait()
        self.sent.append(orjson.loads(data))


def event(seq: int) -> dict[str, object]:
    return {"seq": seq, "night": "20260312"}


def desk_of(hub: Hub) -> SnapshotDesk:
    async def read(_night: str | None) -> SnapshotText:
        return SnapshotText(hub.newest, orjson.dumps({"type": "snapshot", "seq": hub.newest}).decode())

    return SnapshotDesk(read, newest_of_nothing)


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not so():  # noqa: ASYNC110 - a sink tells no event
            await asyncio.sleep(0.001)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def run(sink: Sink, client: Client, hub: Hub, **options: Any) -> asyncio.Task[None]:
    task = asyncio.create_task(tell(sink, client, hub, desk_of(hub), **options))
    await settle()
    return task


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_snapshot_then_only_newer_events() -> None:
    hub = Hub()
    hub.accept(event(1))
    client, _, _ = hub.join("20260312", None, 8, ALL)
    hub.accept(event(2))  # in the queue and in the snapshot
    sink = Sink()
    task = await run(sink, client, hub, missed=[], start_with_snapshot=True)
    hub.accept(event(3))
    await settle()
    await stop(task)

    assert [(item["type"], item["seq"]) for item in sink.sent] == [("snapshot", 2), ("delta", 3)]


async def test_missed_events_then_new_ones() -> None:
    hub = Hub()
    for seq in (1, 2, 3):
        hub.accept(event(seq))
    client, _, missed = hub.join("20260312", 1, 8, ALL)
    sink = Sink()
    task = await run(sink, client, hub, missed=[delta.text for delta in missed], start_with_snapshot=False)
    hub.accept(event(4))
    await settle()
    await stop(task)

    assert [item["seq"] for item in sink.sent if item["type"] == "delta"] == [2, 3, 4]


async def test_client_that_does_not_read_is_resynchronised() -> None:
    hub = Hub()
    client, _, _ = hub.join("20260312", None, 8, ALL)
    sink = Sink()
    task = await run(sink, client, hub, missed=[], start_with_snapshot=True)
    sink.open.clear()
    for seq in range(1, 51):
        hub.accept(event(seq))
        await asyncio.sleep(0)
    sink.open.set()
    await until(lambda: sink.sent[-1]["type"] == "snapshot" and sink.sent[-1]["seq"] == 50)
    hub.accept(event(51))
    await until(lambda: sink.sent[-1]["type"] == "delta" and sink.sent[-1]["seq"] == 51)
    await stop(task)

    kinds = [item["type"] for item in sink.sent]
    assert "resync" in kinds
    after = sink.sent[kinds.index("resync") + 1 :]
    assert (after[0]["type"], after[0]["seq"]) == ("snapshot", 50)
    assert [(item["type"], item["seq"]) for item in after[1:]] == [("delta", 51)]


async def test_quiet_times_have_heartbeats() -> None:
    hub = Hub()
    client, _, _ = hub.join("20260312", None, 8, ALL)
    sink = Sink()
    task = await run(sink, client, hub, missed=[], start_with_snapshot=True, heartbeat=0.01)
    hub.accept({"seq": 1, "night": "20260101"})  # another night: only its number is told
    await until(lambda: (sink.sent[-1]["type"], sink.sent[-1]["seq"]) == ("heartbeat", 1))
    await stop(task)

    assert {item["type"] for item in sink.sent} == {"snapshot", "heartbeat"}


async def test_absent_database_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def read(_night: str | None) -> SnapshotText:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        return SnapshotText(0, '{"type":"snapshot","seq":0}')

    hub = Hub()
    client, _, _ = hub.join(None, None, 8, ALL)
    sink = Sink()
    task = asyncio.create_task(tell(sink, client, hub, SnapshotDesk(read, newest_of_nothing), [], True))
    await until(lambda: len(sink.sent) > 1)
    await stop(task)

    assert [item["type"] for item in sink.sent] == ["unavailable", "snapshot"]
