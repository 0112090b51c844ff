from __future__ import annotations

import asyncio

from tests.support.sights import ALL, SnapshotText, newest_of_nothing
from web.live.snapshot import SnapshotDesk


class Source:
    """Stands for the database: counts readings."""

    def __init__(self) -> None:
        self.seq = 5
        self.read = 0

    async def __call__(self, night: str | None) -> SnapshotText:
        self.read += 1
        seq = self.seq
        await asyncio.sleep(0.01)
        return SnapshotText(seq, f"{night} {seq}")


async def test_many_clients_cost_one_reading() -> None:
    source = Source()
    desk = SnapshotDesk(source, newest_of_nothing, clock=lambda: 0.0)

    found = await asyncio.gather(*(desk.get("20260312", 5) for _ in range(100)))

    assert {item.seq for item in found} == {5}
    assert source.read == 1


async def test_snapshot_is_never_older_than_the_client_needs() -> None:
    source = Source()
    desk = SnapshotDesk(source, newest_of_nothing, clock=lambda: 0.0)
    await desk.get("20260312", 5)
    source.seq = 9

    assert (await desk.get("20260312", 7)).seq == 9
    assert (await desk.get("20260312", 9)).seq == 9
    assert source.read == 2


async def test_old_snapshot_is_read_again() -> None:
    now = 0.0
    source = Source()
    desk = SnapshotDesk(source, newest_of_nothing, clock=lambda: now)
    await desk.get(None, 0)
    now = 60.0
    await desk.get(None, 0)

    assert source.read == 2


async def test_nights_are_kept_apart() -> None:
    desk = SnapshotDesk(Source(), newest_of_nothing, clock=lambda: 0.0)

    assert (await desk.get("20260312", 0)).text_for(ALL) == "20260312 5"
    assert (await desk.get("20260311", 0)).text_for(ALL) == "20260311 5"


async def test_failed_reading_is_not_kept() -> None:
    failing = True

    async def read(night: str | None) -> SnapshotText:
        if failing:
            raise OSError("away")
        return SnapshotText(1, "there")

    desk = SnapshotDesk(read, newest_of_nothing)
    results = await asyncio.gather(desk.get(None, 0), desk.get(None, 0), return_exceptions=True)
    assert all(isinstance(item, OSError) for item in results)
    failing = False
    assert (await desk.get(None, 0)).text_for(ALL) == "there"
