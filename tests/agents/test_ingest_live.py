"""Files that land in a raw folder, with a real folder, a real kernel and a real database."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agents.ingest import raw_folders
from agents.ingest.backfill import run_backfill
from agents.ingest.main import run_ingest
from agents.ingest.watcher import Watcher
from paws.database import open_pool
from paws.errors import ConfigurationError
from paws.settings import Settings
from tests.support.rawfiles import raw_frame, red

DEADLINE = 120.0


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw with space"
    (folder / "260312" / "ccd_1").mkdir(parents=True)
    (folder / "260312" / "ccd_2").mkdir()
    return folder


def settings_for(database: Settings, raw: Path, **changes: Any) -> Settings:
    values = {
        "raw_dirs": (raw,),
        "ingest_settle": 0.1,
        "ingest_poll_interval": 0.1,
        "ingest_sweep_interval": 0.5,
        "ingest_growth_deadline": 2.0,
    }
    return database.model_copy(update=values | changes)


class System:
    """A running ingest process and eyes on its database."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def frames(self) -> list[Any]:
        return await self.connection.fetch("SELECT * FROM frame ORDER BY name")

    async def names(self) -> list[str]:
        return [row["name"] for row in await self.frames()]

    async def rejected(self) -> dict[str, str]:
        rows = await self.connection.fetch("SELECT name, code FROM rejected_file WHERE resolved_at IS NULL")
        return {row["name"]: row["code"] for row in rows}

    async def events(self, topic: str) -> list[dict[str, Any]]:
        rows = await self.connection.fetch("SELECT payload FROM outbox WHERE topic = $1 ORDER BY id", topic)
        return [json.loads(row["payload"]) for row in rows]

    async def until(self, what: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not await what():  # noqa: ASYNC110 - the database tells no event
                await asyncio.sleep(0.02)

    async def until_names(self, *names: str) -> None:
        async def seen() -> bool:
            return await self.names() == sorted(names)

        await self.until(seen)

    async def until_rejected(self, **codes: str) -> None:
        wanted = {f"{name}.fits".removeprefix("f"): code for name, code in codes.items()}

        async def seen() -> bool:
            return await self.rejected() == wanted

        await self.until(seen)


@asynccontextmanager
async def ingesting(settings: Settings) -> AsyncIterator[System]:
    ready = asyncio.Event()
    task = asyncio.create_task(run_ingest(settings, on_ready=ready.set))
    connection = await asyncpg.connect(settings.require_database())
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE)
        if task.done():
            task.result()
        yield System(connection)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()


def deliver(folder: Path, name: str, content: bytes) -> Path:
    """Write as a detector does: under a temporary name, then renamed."""
    temporary = folder / f".{name}.tmp"
    temporary.write_bytes(content)
    return temporary.rename(folder / name)


@pytest.mark.parametrize("mode", ["events", "polling"])
async def test_a_renamed_file_becomes_a_frame_once(database: Settings, raw: Path, mode: str) -> None:
    async with ingesting(settings_for(database, raw, ingest_mode=mode)) as system:
        deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
        deliver(raw / "260312" / "ccd_2", "12mar20011.fits", raw_frame(seed=1, **red()))
        await system.until_names("12mar10011.fits", "12mar20011.fits")
        await asyncio.sleep(0.7)  # another sweep must find nothing new
        arrived = await system.events("frames.arrived")
        assert sorted(event["frame"]["arm"] for event in arrived) == ["blue", "red"]
        statuses = await system.events("status.events")
        assert [(event["entity"], event["state"]) for event in statuses] == [("frame", "arrived")] * 2
        row = (await system.frames())[0]
        assert (row["night"], row["plate"], row["field"], row["run"]) == ("20260312", 1, "FLD195_v03", 11)
        assert arrived[0]["event_id"] in {frame["frame_id"] for frame in await system.frames()}


async def test_a_restart_changes_nothing(database: Settings, raw: Path) -> None:
    settings = settings_for(database, raw)
    folder = raw / "260312" / "ccd_1"
    deliver(folder, "12mar10011.fits", raw_frame())
    deliver(folder, "12mar10012.fits", raw_frame()[:100_000])
    async with ingesting(settings) as system:
        await system.until_names("12mar10011.fits")
        await system.until_rejected(f12mar10012="truncated")
        before = await system.connection.fetch("SELECT * FROM outbox ORDER BY id")
    async with ingesting(settings) as system:
        await asyncio.sleep(1.0)
        assert await system.connection.fetch("SELECT * FROM outbox ORDER BY id") == before
        assert await system.names() == ["12mar10011.fits"]


async def test_a_file_written_in_place_is_waited_for(database: Settings, raw: Path) -> None:
    content = raw_frame()
    async with ingesting(
        settings_for(database, raw, ingest_growth_deadline=20.0, ingest_settle=0.3)
    ) as system:
        path = raw / "260312" / "ccd_1" / "12mar10011.fits"
        step = len(content) // 5 + 1
        for start in range(0, len(content), step):
            with path.open("ab") as piece:  # closed after every piece: no close is final
                piece.write(content[start : start + step])
            await asyncio.sleep(0.25)
            if start + step < len(content):
                assert await system.names() == []
        await system.until_names("12mar10011.fits")
        assert await system.events("frames.rejected") == []


@pytest.mark.parametrize("mode", ["events", "polling"])
async def test_a_truncated_file_is_rejected_and_taken_when_mended(
    database: Settings, raw: Path, mode: str
) -> None:
    content = raw_frame()
    path = raw / "260312" / "ccd_1" / "12mar10011.fits"
    async with ingesting(settings_for(database, raw, ingest_mode=mode)) as system:
        path.write_bytes(content[:5_000_000])
        await system.until_rejected(f12mar10011="truncated")
        (event,) = await system.events("frames.rejected")
        assert "are missing" in event["reason"]
        assert event["night"] == "20260312"
        assert path.stat().st_size == 5_000_000
        path.write_bytes(content)
        await system.until_names("12mar10011.fits")
        await system.until_rejected()
        states = [(event["entity"], event["state"]) for event in await system.events("status.events")]
        assert states == [("file", "rejected"), ("frame", "arrived"), ("file", "accepted")]


async def test_a_second_content_of_a_name_is_rejected(database: Settings, raw: Path) -> None:
    async with ingesting(settings_for(database, raw)) as system:
        deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
        await system.until_names("12mar10011.fits")
        (first,) = await system.frames()
        deliver(raw / "260312", "12mar10011.fits", raw_frame(seed=2))
        await system.until_rejected(f12mar10011="duplicate_name")
        (event,) = await system.events("frames.rejected")
        assert first["frame_id"] in event["reason"]
        assert [row["frame_id"] for row in await system.frames()] == [first["frame_id"]]


async def test_a_copy_elsewhere_is_the_same_frame_and_a_moved_file_keeps_it(
    database: Settings, raw: Path
) -> None:
    async with ingesting(settings_for(database, raw)) as system:
        path = deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
        await system.until_names("12mar10011.fits")
        other = raw / "copy"
        other.mkdir()
        deliver(other, "12mar10011.fits", raw_frame())
        await asyncio.sleep(1.2)
        (row,) = await system.frames()
        assert row["path"] == str(path)
        path.unlink()
        os.utime(other / "12mar10011.fits")

        async def moved() -> bool:
            (row,) = await system.frames()
            return bool(row["path"] == str(other / "12mar10011.fits"))

        await system.until(moved)
        assert len(await system.events("frames.arrived")) == 1


async def test_evil_entries_are_named_and_the_rest_goes_on(database: Settings, raw: Path) -> None:
    folder = raw / "260312" / "ccd_1"
    put_evil_entries(raw, folder)
    async with ingesting(settings_for(database, raw, ingest_growth_deadline=0.3)) as system:
        deliver(folder, "12mar10011.fits", raw_frame())
        await system.until_names("12mar10011.fits")

        async def all_named() -> bool:
            return len(await system.rejected()) == 12

        await system.until(all_named)
        assert await system.rejected() == {
            "12mar10001.fits": "not_a_file",
            "12mar10002.fits": "not_a_file",
            "12mar10003.fits": "unreadable",
            "12mar10004.fits": "not_a_file",
            "12mar10005.fits": "unreadable",
            "12mar10006.fits": "empty",
            "12mar10007.fits": "zero_bytes",
            "12mar10008.fits": "not_fits",
            "12mar10009.fits": "wrong_instrument",
            "12mar10010.fits": "bad_value",
            "a'b\\n.fits": "wrong_name",
            "\\xff.fits": "wrong_name",
        }


def put_evil_entries(raw: Path, folder: Path) -> None:
    (folder / "12mar10001.fits").mkdir()
    os.mkfifo(folder / "12mar10002.fits")
    (folder / "12mar10003.fits").symlink_to("12mar10003.fits")
    (folder / "12mar10004.fits").symlink_to("/dev/zero")
    (folder / "12mar10005.fits").symlink_to(folder / "nowhere")
    (folder / "12mar10006.fits").write_bytes(b"")
    (folder / "12mar10007.fits").write_bytes(b"\0" * 100_000)
    (folder / "12mar10008.fits").write_bytes(b"not a FITS file" * 1000)
    (folder / "12mar10009.fits").write_bytes(raw_frame(INSTRUME="HERMES-2dF"))
    (folder / "12mar10010.fits").write_bytes(raw_frame(EXPOSED=float("nan")))
    (folder / "a'b\n.fits").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.fits")).write_bytes(b"x")
    (folder / "notes.txt").write_text("ignored")
    (folder / ".12mar10013.fits").write_bytes(b"ignored")
    (folder / "up").symlink_to(raw)


async def test_a_raw_folder_may_come_late_vanish_and_return(database: Settings, tmp_path: Path) -> None:
    raw = tmp_path / "later"
    async with ingesting(settings_for(database, raw)) as system:
        (raw / "260312" / "ccd_1").mkdir(parents=True)
        deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
        await system.until_names("12mar10011.fits")
        raw.rename(tmp_path / "gone")

        async def told(*states: str) -> bool:
            notices = [
                event["state"]
                for event in await system.events("status.events")
                if event["entity"] == "notice"
            ]
            return notices == list(states)

        await system.until(lambda: told("away", "present", "away"))
        (raw / "260312" / "ccd_1").mkdir(parents=True)
        await system.until(lambda: told("away", "present", "away", "present"))
        deliver(raw / "260312" / "ccd_1", "12mar10012.fits", raw_frame(seed=3))
        await system.until_names("12mar10011.fits", "12mar10012.fits")


async def test_files_wait_in_mind_while_the_database_is_away(
    database: Settings, database_server: Any, raw: Path
) -> None:
    name = database.require_database().split("/")[3].split("?")[0]
    admin = await asyncpg.connect(database_server.url())
    try:
        async with ingesting(settings_for(database, raw)) as system:
            deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
            await system.until_names("12mar10011.fits")
            await system.connection.close()
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            deliver(raw / "260312" / "ccd_1", "12mar10012.fits", raw_frame(seed=4))
            await asyncio.sleep(0.5)
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            system.connection = await asyncpg.connect(database.require_database())
            await system.until_names("12mar10011.fits", "12mar10012.fits")
            assert len(await system.events("frames.arrived")) == 2
            await system.connection.close()
    finally:
        await admin.close()


async def test_a_rejection_is_closed_when_its_file_is_removed(database: Settings, raw: Path) -> None:
    path = raw / "260312" / "ccd_1" / "12mar10011.fits"
    async with ingesting(settings_for(database, raw)) as system:
        path.write_bytes(b"nothing of worth")
        await system.until_rejected(f12mar10011="not_fits")
        path.unlink()
        await system.until_rejected()
        last = (await system.events("status.events"))[-1]
        assert (last["entity"], last["state"]) == ("file", "gone")


async def test_an_indexed_frame_in_a_watched_night_is_announced_once(database: Settings, raw: Path) -> None:
    deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
    async with open_pool(database) as pool:
        report = await run_backfill(str(raw), pool, database.site_longitude, workers=1)
    assert report.registered == 1
    for _ in range(2):
        async with ingesting(settings_for(database, raw)) as system:

            async def announced(system: System = system) -> bool:
                return len(await system.events("frames.arrived")) == 1

            await system.until(announced)
            await asyncio.sleep(0.3)
            assert await announced()
            (row,) = await system.frames()
            assert row["source"] == "live"


async def test_a_network_file_system_is_polled_and_listened_to(
    database: Settings, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_folders, "is_network_file_system", lambda _path: True)
    kept = Watcher.watch
    watched: list[str] = []

    def watch(self: Watcher, path: str, identity: tuple[int, int]) -> None:
        watched.append(path)
        kept(self, path, identity)

    monkeypatch.setattr(Watcher, "watch", watch)
    settings = settings_for(database, raw, ingest_sweep_interval=3600.0)
    async with ingesting(settings) as system:
        assert str(raw) in watched
        # Written where the kernel notices nothing: below a folder that is not watched for lack of a notice.
        monkeypatch.setattr(Watcher, "watch", lambda *_: None)
        (raw / "260313" / "ccd_1").mkdir(parents=True)
        deliver(raw / "260313" / "ccd_1", "13mar10011.fits", raw_frame(seed=9, UTMJD=61112.5))
        await system.until_names("13mar10011.fits")


@pytest.mark.parametrize("mode", ["auto", "events"])
async def test_a_kernel_that_refuses_watches(
    database: Settings, raw: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Watcher, "watch", refuse)
    settings = settings_for(database, raw, ingest_mode=mode, ingest_sweep_interval=3600.0)
    if mode == "events":
        with pytest.raises(ExceptionGroup) as caught:
            await asyncio.wait_for(run_ingest(settings, on_ready=lambda: None), DEADLINE)
        assert caught.group_contains(ConfigurationError, match="max_user_watches")
        return
    async with ingesting(settings) as system:
        deliver(raw / "260312" / "ccd_1", "12mar10011.fits", raw_frame())
        await system.until_names("12mar10011.fits")


@pytest.mark.parametrize("how", ["renamed", "closed"])
async def test_the_kernel_s_notices_alone_suffice(database: Settings, raw: Path, how: str) -> None:
    settings = settings_for(database, raw, ingest_sweep_interval=3600.0, ingest_settle=3600.0)
    folder = raw / "260312" / "ccd_1"
    async with ingesting(settings) as system:
        if how == "renamed":
            deliver(folder, "12mar10011.fits", raw_frame())
        else:
            (folder / "12mar10011.fits").write_bytes(raw_frame())
        await system.until_names("12mar10011.fits")
