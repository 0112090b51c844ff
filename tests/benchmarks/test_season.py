"""A season's backfill: read, registered, matched and planned, with flat memory. Prints figures.

``BENCH_SEASON`` sets the number of frames (100000), ``BENCH_FILES`` that of raw files of full size that are read.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import orjson
import pytest

from agents.calib_matcher.planner import Planner
from agents.ingest.backfill import run_backfill
from agents.ingest.inspect import Inspection, Signature, Verdict
from agents.ingest.storage import archive_row, insert_archive
from agents.rebuild.storage import make_live
from agents.runtime import AgentContext
from paws.clock import utc_now
from paws.database import open_pool
from schemas.frames import Frame
from tests.support.nights import MJD, NIGHT, Observatory, make_night
from tests.support.rawfiles import raw_frame

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(7200)]

FRAMES = int(os.environ.get("BENCH_SEASON", "100000"))
FILES = int(os.environ.get("BENCH_FILES", "60"))


def a_night(night: str) -> list[Frame]:
    """A thousand frames: seven fields, with ten biases before."""
    days = (date(int(night[:4]), int(night[4:6]), int(night[6:])) - date(2026, 3, 12)).days
    frames = make_night(fields=7, exposures=67, biases=10, night=night)
    return [
        frame if frame.utmjd > MJD + days - 1 else frame.model_copy(update={"utmjd": frame.utmjd + days})
        for frame in frames
    ]


def nights(count: int) -> list[str]:
    return [(date(2026, 3, 12) + timedelta(days=number)).strftime("%Y%m%d") for number in range(count)]


def resident() -> float:
    """Memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def batches(frames: list[Frame], size: int) -> Iterator[list[Frame]]:
    found = iter(frames)
    while part := list(islice(found, size)):
        yield part


def row_of(frame: Frame) -> tuple[object, ...]:
    signature = Signature(frame.size_bytes, 0)
    return archive_row(
        Inspection(frame.path, Verdict.FRAME, signature, frame, {"OBJECT": frame.object_name}),
        frame.completed_at,
    )


def write_files(folder: Path, files: int) -> None:
    """Raw files of full size that differ in their run: a file with holes is no frame."""
    content = raw_frame("MFOBJECT", seed=1, RUN=9999)
    card = b"RUN     = %20d"
    assert content.count(card % 9999) == 1
    for run in range(1, files + 1):
        (folder / f"12mar1{run:04d}.fits").write_bytes(content.replace(card % 9999, card % run))


async def test_reading(database, tmp_path):
    """Header, structure and checksum of files of full size."""
    folder = tmp_path / "260312"
    folder.mkdir()
    write_files(folder, FILES)
    async with open_pool(database) as pool:
        report = await run_backfill(str(tmp_path), pool, database.site_longitude)
    figures = {"files": report.found, "registered": report.registered, "rejected": len(report.rejected)}
    print("reading", json.dumps(figures | {"files_per_second": round(report.frames_per_second, 1)}))
    assert report.registered == FILES


async def test_a_season_is_registered_and_planned(database):
    """Memory is looked at after a fifth, when all that is cached is there, and at the end."""
    season = nights(FRAMES // 1000)
    async with open_pool(database) as pool:
        began, memory = time.perf_counter(), []
        for night in season:
            for part in batches(a_night(night), 256):
                async with pool.acquire() as connection:
                    assert not await insert_archive(connection, [row_of(frame) for frame in part])
            memory.append(resident())
        seconds = time.perf_counter() - began
        count = await pool.fetchval("SELECT count(*) FROM frame")
        tell("registered", count, seconds, memory)

        await make_live(pool, season)
        context = AgentContext(settings=database, clock=utc_now)
        context.pool = pool
        planner = Planner(context, {})
        began, memory, took = time.perf_counter(), [], []
        for night in season:
            start = time.perf_counter()
            await planner.plan_again(night)
            took.append(time.perf_counter() - start)
            memory.append(resident())
        tell("planned and written", count, time.perf_counter() - began, memory)
        tenth = max(1, len(season) // 10)
        halves = {"first_tenth": sum(took[:tenth]) / tenth, "last_tenth": sum(took[-tenth:]) / tenth}
        print("seconds a night", json.dumps({name: round(value, 3) for name, value in halves.items()}))
        assert await pool.fetchval("SELECT count(*) FROM frame_plan") == count


def tell(what: str, frames: int, seconds: float, memory: list[float]) -> None:
    fifth = len(memory) // 5
    print(
        what,
        orjson.dumps(
            {
                "frames": frames,
                "seconds": round(seconds, 1),
                "frames_per_second": round(frames / seconds, 1),
                "megabytes_after_a_fifth": round(memory[fifth], 1),
                "megabytes_at_the_end": round(memory[-1], 1),
            }
        ).decode(),
    )


@pytest.mark.parametrize("exposures", [17, 34, 67, 134])
def test_planning_is_linear(exposures):
    """A night that is over, planned once more: all keys are known, as when an event comes in."""
    observatory = Observatory()
    frames = make_night(fields=7, exposures=exposures, biases=10)
    observatory.arrive(*frames)
    began = time.perf_counter()
    observatory.plan()
    first = time.perf_counter() - began
    observatory.settle()
    again = []
    for _ in range(9):
        began = time.perf_counter()
        observatory.plan(NIGHT)
        again.append(time.perf_counter() - began)
    print(
        "planning",
        json.dumps(
            {
                "frames": len(frames),
                "first_ms": round(1000 * first, 1),
                "again_ms": round(1000 * min(again), 1),
                "again_us_a_frame": round(1e6 * min(again) / len(frames), 1),
            }
        ),
    )
    assert len(observatory.plan(NIGHT).frames) == len(frames)
