"""The observing log on a real database: whatever the order of events, the same log."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents.ingest import storage
from agents.ingest.inspect import inspect_file
from agents.obslog.storage import refresh
from paws.clock import utc_now
from paws.database import open_pool
from paws.settings import Settings
from schemas.frames import Frame
from tests.support.rawfiles import raw_frame

NIGHT = "20260312"


async def add_frame(
    pool: Any, folder: Path, run: int, frame_class: str = "MFOBJECT", at: datetime | None = None
) -> Frame:
    path = folder / f"12mar1{run:04d}.fits"
    path.write_bytes(raw_frame(frame_class, seed=run))
    inspection = inspect_file(str(path), 149.0661)
    assert inspection.frame is not None, inspection.reason
    await storage.record_frame(pool, inspection, at or utc_now())
    return inspection.frame


async def set_plan(pool: Any, frame: Frame, state: str, reason: str = "", job_key: str | None = None) -> None:
    await pool.execute(
        """
        INSERT INTO frame_plan (frame_id, night, state, reason, job_key, level) VALUES ($1, $2, $3, $4, $5, 1)
        ON CONFLICT (frame_id) DO UPDATE SET state = excluded.state, reason = excluded.reason
        """,
        frame.frame_id,
        frame.night,
        state,
        reason,
        job_key,
    )


async def set_reduction(pool: Any, frame: Frame, state: str, key: str, error: str | None = None) -> None:
    now = utc_now()
    await pool.execute(
        """
        INSERT INTO reduction (job_key, slot, kind, night, state, priority, engine, engine_version, document,
                               requested_at, finished_at, error, error_code, log_path, attempt)
        VALUES ($1, $2, 'reduce_object', $3, $4, 100, 'builtin', '1', $5, $6, $6, $7, 'engine', '/log', 3)
        ON CONFLICT (job_key) DO UPDATE SET state = excluded.state, error = excluded.error
        """,
        key,
        f"{frame.night}/{frame.arm.ccd}/{frame.run:04d}/object",
        frame.night,
        state,
        {"layout": {"field": frame.field}},
        now,
        error,
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_log_does_not_depend_on_the_order(
    database: Settings, tmp_path: Path, order: tuple[int, ...]
) -> None:
    async with open_pool(database) as pool:
        science = await add_frame(pool, tmp_path, 11)
        flat = await add_frame(pool, tmp_path, 3, "MFFFF")
        await set_plan(pool, science, "planned", job_key="k" * 64)
        await set_plan(pool, flat, "set_aside", "run 2 is better exposed")
        await set_reduction(pool, science, "succeeded", "k" * 64)
        occasions = [[science.frame_id], [flat.frame_id], [science.frame_id]]
        for number in order:
            await refresh(pool, occasions[number], NIGHT)
        rows = await pool.fetch("SELECT * FROM observing_log ORDER BY run")
        assert [(row["run"], row["result"], row["level"]) for row in rows] == [
            (3, "set aside: run 2 is better exposed", None),
            (11, "reduced", 1),
        ]
        assert rows[1]["airmass"] == pytest.approx(1.247, abs=0.002)
        assert rows[1]["proposal"] == "A/2026A/008"
        assert await refresh(pool, [science.frame_id], NIGHT) == 1
        assert await pool.fetch("SELECT * FROM observing_log ORDER BY run") == rows, (
            "a repetition writes nothing"
        )


async def test_a_frame_set_aside_later_is_noted_with_the_next_event(
    database: Settings, tmp_path: Path
) -> None:
    async with open_pool(database) as pool:
        flat = await add_frame(pool, tmp_path, 3, "MFFFF")
        science = await add_frame(pool, tmp_path, 11)
        await refresh(pool, [flat.frame_id], NIGHT)
        await set_plan(pool, flat, "set_aside", "run 4 is better")
        await refresh(pool, [science.frame_id], NIGHT)
        row = await pool.fetchrow("SELECT result FROM observing_log WHERE run = 3")
        assert row["result"] == "set aside: run 4 is better"


async def test_frames_that_are_not_registered_are_left_out(database: Settings) -> None:
    async with open_pool(database) as pool:
        assert await refresh(pool, ["20260312-12mar10001-000000000000"], NIGHT) == 0
