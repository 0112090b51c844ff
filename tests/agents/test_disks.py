"""Full disks: told once, and told again when there is room; of the database's, whoever started it tells."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from agents.reducer.runner.disk import DiskNotices
from paws.clock import utc_now
from paws.notices import SPOOL_NAME, NoticeDesk
from paws.room import LEAST_ROOM, RoomWatch
from tests.support.reductions import events_of


@pytest.fixture
def disk(monkeypatch):
    """Free bytes by the last part of a folder's name."""
    free = {}

    def usage(folder):
        if folder.name not in free:
            raise FileNotFoundError(folder)
        return SimpleNamespace(free=free[folder.name])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return free


async def told(pool):
    events = await events_of(pool, "status.events")
    return [(event["entity_id"], event["state"]) for event in events if event["entity"] == "notice"]


async def test_each_folder_of_a_runner_is_told_of_once_and_again_when_there_is_room(database, pool, disk):
    notices = DiskNotices(database, pool, "here/2/9")
    # Not made yet.
    await notices.look(utc_now())
    disk |= {"work": 5 << 20, "products": 500 << 20}
    for _ in range(2):
        await notices.look(utc_now())
    assert await told(pool) == [("disk:work:here/2/9", "full")]
    disk |= {"work": 500 << 20, "products": 0}
    for _ in range(2):
        await notices.look(utc_now())
    # Between the limits nothing is told: it would go to and fro.
    disk["products"] = LEAST_ROOM + 1
    await notices.look(utc_now())
    expected = [
        ("disk:work:here/2/9", "full"),
        ("disk:work:here/2/9", "room"),
        ("disk:products:here/2/9", "full"),
    ]
    assert await told(pool) == expected
    # What a reduction found is told by what is known to be full, or as it is.
    await notices.found_full("There is no room.", utc_now())
    assert await told(pool) == expected
    disk["products"] = 500 << 20
    await notices.found_full("There is no room.", utc_now())
    assert await told(pool) == [*expected, ("disk:products:here/2/9", "room"), ("disk:work:here/2/9", "full")]


async def test_a_notice_that_cannot_be_written_is_tried_again(database, pool, disk):
    notices = DiskNotices(database, pool, "here/2/9")
    disk["work"] = 0
    await pool.execute("ALTER TABLE outbox RENAME TO away")
    await notices.look(utc_now())
    await pool.execute("ALTER TABLE away RENAME TO outbox")
    await notices.look(utc_now())
    assert await told(pool) == [("disk:work:here/2/9", "full")]


async def test_the_database_s_disk_is_told_of_by_way_of_the_spool(database, disk, tmp_path):
    desk = NoticeDesk(database.data_dir)
    watch = RoomWatch(desk, "database", tmp_path / "postgres")
    watch.look()
    for free in (LEAST_ROOM - 1, 0, LEAST_ROOM + 1, 3 * LEAST_ROOM, 3 * LEAST_ROOM):
        disk["postgres"] = free
        watch.look()
    spooled = sorted((database.data_dir / SPOOL_NAME).iterdir())
    assert ['"state": "full"' in path.read_text() for path in spooled] == [True, False]
    assert all('"subject": "disk:database"' in path.read_text() for path in spooled)
