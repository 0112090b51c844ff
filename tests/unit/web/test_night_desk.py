"""Views of a night are made once for all who see the same, and include what was announced for whoever asks for that."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from paws.access.rule import sees_all, sees_public
from paws.settings import Settings
from web.night import desk as module
from web.night.desk import NightDesk

TODAY = date(2026, 3, 12)
NOW = datetime(2026, 3, 12, 15, tzinfo=UTC)
ALL, PUBLIC = sees_all(TODAY), sees_public(TODAY)


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        self.newest, self.now, self.made = 1, 100.0, []
        self.desk = NightDesk(Settings(data_dir=tmp_path), (), lambda: self.newest, lambda: self.now)
        monkeypatch.setattr(self.desk, "_make", self.make)
        monkeypatch.setattr(module.asyncio, "sleep", self.sleep)

    async def make(self, _pool: Any, night: str, sight: Any, _now: Any) -> Any:
        self.made.append((night, sight.everything))
        return len(self.made)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def ask(self, sight: Any = ALL, **how: bool) -> Any:
        return await self.desk.view(None, "20260312", sight, NOW, **how)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Bench:
    return Bench(monkeypatch, tmp_path)


async def test_those_who_see_the_same_share_a_view(bench: Bench) -> None:
    assert await asyncio.gather(*(bench.ask() for _ in range(5))) == [1] * 5
    assert await bench.ask(PUBLIC) == 2
    assert bench.made == [("20260312", True), ("20260312", False)]


async def test_a_view_lasts_while_nothing_is_announced(bench: Bench) -> None:
    assert await bench.ask() == 1
    bench.now += 15
    assert await bench.ask(newest=True) == 1
    bench.now += 10
    assert await bench.ask() == 2, "ages and the present go on"


async def test_whoever_asks_because_of_an_event_gets_it(bench: Bench) -> None:
    assert await bench.ask() == 1
    bench.newest += 1
    bench.now += 0.5
    assert await bench.ask() == 1, "others are not kept waiting"
    assert await bench.ask(newest=True) == 2
    assert bench.now == pytest.approx(102.0), "however many events come, a view is made every two seconds"
    bench.newest += 1
    bench.now += 5
    assert await bench.ask() == 3


async def test_whoever_changed_something_sees_it(bench: Bench) -> None:
    assert await bench.ask() == 1
    bench.desk.forget("20260312")
    assert await bench.ask() == 2


async def test_views_are_not_kept_without_end(bench: Bench) -> None:
    for number in range(100):
        bench.now += 0.01
        await bench.desk.view(None, f"2026{number:04d}", ALL, NOW)
    assert len(bench.desk._kept) <= module._MOST_VIEWS
    assert len(bench.desk._locks) <= module._MOST_VIEWS + 1
