"""Whose turn it is."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from web.vo.tap.turns import TooManyError, Turns


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Bench:
    """Queries that end when they are told, and the order in which they began."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began: list[str] = []
        self.ends: deque[asyncio.Event] = deque()
        self.tasks: list[asyncio.Task[None]] = []

    async def _query(self, user: str) -> None:
        async with self.turns.turn(user):
            end = asyncio.Event()
            self.began.append(user)
            self.ends.append(end)
            await end.wait()

    async def send(self, *users: str) -> None:
        for user in users:
            self.tasks.append(asyncio.create_task(self._query(user)))
        await settled()

    async def end_one(self) -> None:
        self.ends.popleft().set()
        await settled()


async def test_a_user_with_many_does_not_hold_up_one_with_few():
    bench = Bench(Turns(1, 1, 10))
    await bench.send("many", "many", "many", "many", "few")
    for _ in range(4):
        await bench.end_one()
    assert bench.began == ["many", "many", "few", "many", "many"]
    await bench.end_one()
    await asyncio.gather(*bench.tasks)


async def test_one_user_has_no_more_than_their_share_at_once():
    bench = Bench(Turns(3, 2, 10))
    await bench.send("many", "many", "many", "few")
    assert bench.began == ["many", "many", "few"]
    await bench.end_one()
    assert bench.began == ["many", "many", "few", "many"]
    while bench.ends:
        await bench.end_one()
    await asyncio.gather(*bench.tasks)
    assert (bench.turns.working, bench.turns.waiting) == (0, 0)


async def test_too_many_waiting_are_refused():
    bench = Bench(Turns(1, 1, 1))
    await bench.send("one", "one")
    with pytest.raises(TooManyError):
        async with bench.turns.turn("one"):
            pytest.fail("there was no place")
    await bench.send("another")
    assert bench.turns.waiting == 2
    for _ in range(3):
        await bench.end_one()
    await asyncio.gather(*bench.tasks)


@pytest.mark.parametrize("when", ["waiting", "given"])
async def test_whoever_goes_away_leaves_no_place_taken(when):
    bench = Bench(Turns(1, 1, 5))
    await bench.send("one", "two", "three")
    if when == "given":
        # The place is given and the wait cancelled before the query goes on.
        bench.ends.popleft().set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    bench.tasks[1].cancel()
    await settled()
    while bench.ends:
        await bench.end_one()
    await asyncio.gather(*bench.tasks, return_exceptions=True)
    assert bench.began[0] == "one"
    assert bench.began[-1] == "three"
    assert (bench.turns.working, bench.turns.waiting) == (0, 0)
