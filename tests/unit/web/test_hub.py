from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.support.sights import ALL
from web.live.hub import Hub, Step, make_delta, plan_resume


def event(seq: int, night: str = "20260312") -> dict[str, object]:
    return {"seq": seq, "night": night, "entity": "frame", "entity_id": f"f{seq}", "payload": {"n": seq}}


@pytest.mark.parametrize(
    ("since", "oldest", "newest", "first"),
    [
        (None, 1, 10, None),
        (10, 1, 10, 11),
        (4, 1, 10, 5),
        (0, 1, 10, 1),
        (0, 2, 10, None),
        (3, 5, 10, None),
        (4, 5, 10, 5),
        (11, 1, 10, None),
        (0, 1, 0, 1),
        (5, 6, 5, 6),
        (4, 6, 5, None),
    ],
)
def test_resume_from_the_first_missed_event_or_from_a_snapshot(
    since: int | None, oldest: int, newest: int, first: int | None
) -> None:
    resume = plan_resume(since, oldest, newest)

    assert resume.first == first
    assert resume.reason


def test_delta_is_written_once_with_its_number() -> None:
    delta = make_delta(event(3))

    assert orjson.loads(delta.text) == {"type": "delta", "seq": 3, "event": event(3)}


def test_events_are_taken_in_order_only() -> None:
    hub = Hub()

    assert [hub.accept(event(seq)) for seq in (1, 2, 2, 4, 3, 4, 1)] == [
        Step.TAKEN,
        Step.TAKEN,
        Step.KNOWN,
        Step.GAP,
        Step.TAKEN,
        Step.TAKEN,
        Step.KNOWN,
    ]
    assert hub.newest == 4


async def test_every_client_gets_every_event_of_its_night() -> None:
    hub = Hub()
    every, _, _ = hub.join(None, None, 100, ALL)
    one, _, _ = hub.join("20260312", None, 100, ALL)
    for seq in range(1, 7):
        hub.accept(event(seq, "20260312" if seq % 2 else "20260311"))

    assert [delta.seq for delta in every.take()] == [1, 2, 3, 4, 5, 6]
    assert [delta.seq for delta in one.take()] == [1, 3, 5]


async def test_slow_client_loses_its_queue_and_nobody_else_does() -> None:
    hub = Hub()
    slow, _, _ = hub.join(None, None, 8, ALL)
    quick, _, _ = hub.join(None, None, 8, ALL)
    got = []
    for seq in range(1, 21):
        hub.accept(event(seq))
        got += [delta.seq for delta in quick.take()]

    assert got == list(range(1, 21))
    assert slow.behind
    assert slow.take() == []
    assert await slow.wait(1.0), "a client that is behind is woken until it starts again"

    slow.restart(hub.newest)
    hub.accept(event(21))
    assert [delta.seq for delta in slow.take()] == [21]
    assert not slow.behind


async def test_returning_client_gets_what_it_missed_and_no_more() -> None:
    hub = Hub(memory=5)
    for seq in range(1, 11):
        hub.accept(event(seq, "20260312" if seq != 8 else "20260311"))

    _, resume, missed = hub.join("20260312", 6, 8, ALL)
    assert resume.first == 7
    assert [delta.seq for delta in missed] == [7, 9, 10]

    _, resume, missed = hub.join("20260312", 4, 8, ALL)
    assert resume.first is None
    assert missed == []


async def test_new_numbering_sends_everybody_back_to_a_snapshot() -> None:
    hub = Hub()
    hub.accept(event(1))
    client, _, _ = hub.join(None, None, 8, ALL)
    hub.restart_at(0)

    assert client.behind
    assert hub.accept(event(1)) is Step.TAKEN


async def test_waiting_ends_with_an_event() -> None:
    hub = Hub()
    client, _, _ = hub.join(None, None, 8, ALL)
    assert not await client.wait(0.01)
    waiting = asyncio.create_task(client.wait(5))
    await asyncio.sleep(0)
    hub.accept(event(1))

    assert await waiting


def test_left_client_is_forgotten() -> None:
    hub = Hub()
    client, _, _ = hub.join(None, None, 8, ALL)
    assert hub.clients == 1
    hub.leave(client)
    hub.leave(client)
    hub.accept(event(1))

    assert hub.clients == 0
    assert client.take() == []
