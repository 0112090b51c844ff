"""Notices come into the feed, whatever is away when they are told."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agents.repeats import REMEMBERED, Repeats
from paws.clock import utc_now
from paws.database import connect, open_pool
from paws.database_clock import DatabaseClock
from paws.errors import ServiceUnavailableError
from paws.notices import SPOOL_NAME, NoticeDesk


async def announced(settings):
    connection = await connect(settings)
    try:
        rows = await connection.fetch("SELECT payload FROM outbox WHERE topic = 'status.events' ORDER BY id")
        return [row["payload"] for row in rows]
    finally:
        await connection.close()


async def test_a_notice_is_a_file_until_the_database_has_it(database):
    desk = NoticeDesk(database.data_dir)
    desk.tell("process:worker", "ended", "worker was killed.", pid=7)
    desk.tell("process:worker", "ready", "worker is ready.")
    spool = database.data_dir / SPOOL_NAME
    assert len(list(spool.iterdir())) == 2
    # Another one delivers what a killed one left.
    assert await NoticeDesk(database.data_dir).deliver_once(database) == 2
    first, second = await announced(database)
    assert (first["entity"], first["entity_id"], first["state"]) == ("notice", "process:worker", "ended")
    assert first["payload"] == {"text": "worker was killed.", "pid": 7}
    assert second["state"] == "ready"
    assert list(spool.iterdir()) == []
    assert await desk.deliver_once(database) == 0


async def test_a_notice_waits_for_the_database(database, tmp_path):
    away = database.model_copy(
        update={"database_url": type(database.database_url)(f"postgresql://nobody@/x?host={tmp_path}")}
    )
    desk = NoticeDesk(database.data_dir)
    desk.tell("process:postgres", "ended", "postgres was killed.")
    with pytest.raises(ServiceUnavailableError):
        await desk.deliver_once(away)
    assert await desk.deliver_once(database) == 1


async def test_a_full_disk_keeps_notices_in_memory(database):
    database.data_dir.mkdir()
    (database.data_dir / "run").write_text("no folder can be made here")
    desk = NoticeDesk(database.data_dir)
    desk.tell("disk:work", "full", "There is no room.")
    assert await desk.deliver_once(database) == 1
    (told,) = await announced(database)
    assert told["payload"]["text"] == "There is no room."


async def test_a_damaged_file_in_the_spool_does_not_stop_the_others(database):
    spool = database.data_dir / SPOOL_NAME
    spool.mkdir(parents=True)
    (spool / "0.json").write_text("{half")
    (spool / "1.json").write_text(json.dumps({"other": "fields"}))
    desk = NoticeDesk(database.data_dir)
    desk.tell("system", "started again", "It runs again.")
    assert await desk.deliver_once(database) == 1


async def test_a_wrong_clock_is_told_once_and_its_return_too(database, monkeypatch):
    async with open_pool(database) as pool:
        clock = DatabaseClock(database, "runner")
        assert abs(await clock.look(pool)) < timedelta(seconds=2)
        monkeypatch.setattr("paws.database_clock.utc_now", lambda: utc_now() + timedelta(hours=1))
        for _ in range(2):
            ahead = await clock.look(pool)
        assert abs(ahead - timedelta(hours=1)) < timedelta(seconds=2)
        # Work goes on by the database's time.
        assert abs(clock.now() - utc_now()) < timedelta(seconds=2)
        monkeypatch.undo()
        await clock.look(pool)
    wrong, right = await announced(database)
    assert (wrong["entity_id"], wrong["state"], right["state"]) == ("clock:runner", "wrong", "right")
    assert "3600 s ahead" in wrong["payload"]["text"]


async def test_repeated_events_are_counted_and_told(database):
    repeats = Repeats()
    assert [repeats.take("reducer", name) for name in ("a", "b", "a", "a")] == [False, False, True, True]
    assert not repeats.take("matcher", "a")
    async with open_pool(database) as pool:
        assert await repeats.tell_once(pool, database, utc_now) == 2
        assert await repeats.tell_once(pool, database, utc_now) == 0
    (told,) = await announced(database)
    assert told["payload"]["events"] == 2


def test_memory_of_events_is_bounded():
    repeats = Repeats()
    for number in range(2 * REMEMBERED):
        repeats.take("reducer", str(number))
    assert not repeats.take("reducer", "0")
    assert repeats.take("reducer", str(2 * REMEMBERED - 1))
