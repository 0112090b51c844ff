"""Tidying up removes what is of no use, and nothing else."""

from __future__ import annotations

import os
import shutil
import time
from datetime import timedelta

import pytest

from agents.rebuild.marks import marks_path, read_marks
from agents.reducer.intake.storage import queue_again
from agents.reducer.runner.mend import mend
from agents.tidy import storage
from agents.tidy.main import tidy
from paws.clock import utc_now
from paws.orders.book import mark_frames
from tests.support.flow import Flow
from tests.support.rawfiles import raw_frame
from tests.support.reductions import FakeEngine

NIGHT = "20260312"
OLD = time.time() - 40 * 86400


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    kinds = [("MFFFF", {"EXPOSED": 5.0}), ("MFARC", {"EXPOSED": 30.0}), *[("MFOBJECT", {})] * 3]
    paths = []
    for run, (kind, facts) in enumerate(kinds, start=1):
        path = folder / f"12mar1{run:04d}.fits"
        path.write_bytes(raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, **facts))
        paths.append(path)
    yield paths
    shutil.rmtree(folder)


@pytest.fixture
def settings(database):
    return database.model_copy(
        update={"match_group_quiet": 0.0, "match_wait": 0.0, "tidy_versions": 30.0, "tidy_logs": 30.0}
    )


@pytest.fixture
async def night(settings, pool, raw):
    """A night of which an exposure was junked, so that its product and a combination were superseded."""
    flow = Flow(settings, pool, FakeEngine())
    await flow.take_in(raw)
    await flow.run()
    async with pool.acquire() as connection:
        frame = await connection.fetchval("SELECT frame_id FROM frame WHERE name = '12mar10004.fits'")
        await mark_frames(connection, [frame], NIGHT, junked=True, reason="cloud", who="me", at=utc_now())
    await flow.run()
    return flow


def later(days):
    return lambda: utc_now() + timedelta(days=days)


async def current(pool):
    rows = await pool.fetch("SELECT product_id, stored_path, path FROM product WHERE current ORDER BY 1")
    return [tuple(row) for row in rows]


def is_whole(settings, products):
    return all(
        (settings.data_dir / stored).is_file() and (settings.products_dir / path).is_file()
        for _, stored, path in products
    )


async def test_superseded_products_go_when_they_are_old(settings, pool, night):
    before = await current(pool)
    superseded = await pool.fetch("SELECT job_key, stored_path FROM product WHERE NOT current")
    assert len(superseded) == 2
    report = await tidy(pool, settings, clock=later(29))
    assert report.versions == []
    planned = await tidy(pool, settings, dry_run=True, clock=later(31))
    assert len(planned.versions) == 2
    assert all((settings.data_dir / row["stored_path"]).is_file() for row in superseded)
    report = await tidy(pool, settings, clock=later(31))
    assert report.versions == planned.versions
    assert report.bytes > 0
    assert await current(pool) == before
    assert is_whole(settings, before)
    assert not any((settings.data_dir / row["stored_path"]).exists() for row in superseded)
    assert await pool.fetchval("SELECT count(*) FROM product WHERE NOT current") == 0
    assert (await tidy(pool, settings, clock=later(31))).versions == []


async def test_what_was_forgotten_is_made_again_when_it_is_wanted_again(settings, pool, night):
    await tidy(pool, settings, clock=later(31))
    async with pool.acquire() as connection:
        frame = await connection.fetchval("SELECT frame_id FROM frame WHERE name = '12mar10004.fits'")
        await mark_frames(connection, [frame], NIGHT, junked=False, reason="", who="me", at=utc_now())
    await night.run()
    # The matcher remembers that it was made once; a runner sees that it is not there.
    await mend(pool, settings, utc_now())
    await night.run()
    products = await current(pool)
    assert is_whole(settings, products)
    assert any("OBJ0004" in path for _, _, path in products)
    assert await pool.fetchval("SELECT count(*) FROM reduction WHERE state <> 'succeeded'") == 0


async def test_an_input_that_was_forgotten_is_made_again_first(settings, pool, night):
    """Somebody repeats a reduction whose input went: superseded, and nothing that is current was made with it."""
    version = (await storage.old_versions(pool, utc_now() + timedelta(days=1)))[0]
    combined = next(
        item
        for item in await storage.old_versions(pool, utc_now() + timedelta(days=1))
        if item.slot.endswith("combined")
    )
    for item in await storage.old_versions(pool, utc_now() + timedelta(days=1)):
        if item != combined:
            version = item
            assert await storage.forget_version(pool, item)
    async with pool.acquire() as connection:
        await queue_again(connection, combined.job_key, utc_now())
    await pool.execute("UPDATE reduction SET forced = true WHERE job_key = $1", combined.job_key)
    await night.run()
    rows = await pool.fetch(
        "SELECT state FROM reduction WHERE job_key = ANY($1::text[])", [combined.job_key, version.job_key]
    )
    assert [row["state"] for row in rows] == ["succeeded", "succeeded"]


async def test_what_a_current_product_was_made_with_stays(settings, pool, night):
    """A tramline map that is current no more, from which a current spectrum was made."""
    await pool.execute(
        "UPDATE product SET current = false, superseded_at = now() - interval '90 days' WHERE kind = 'tlm'"
    )
    await pool.execute("UPDATE slot SET job_key = '' WHERE slot LIKE '%/tlm'")
    found = await storage.old_versions(pool, utc_now() - timedelta(days=30))
    assert "/tlm" not in " ".join(item.slot for item in found)


async def test_a_version_that_comes_to_use_meanwhile_is_not_forgotten(settings, pool, night):
    (first, *_) = await storage.old_versions(pool, utc_now() + timedelta(days=1))
    await pool.execute("UPDATE slot SET job_key = $1 WHERE slot = $2", first.job_key, first.slot)
    assert not await storage.forget_version(pool, first)
    assert await pool.fetchval("SELECT count(*) FROM product WHERE job_key = $1", first.job_key) == 1


async def test_by_default_no_version_goes(settings, pool, night):
    kept = settings.model_copy(update={"tidy_versions": 0.0})
    assert (await tidy(pool, kept, clock=later(4000))).versions == []


def aged(path):
    os.utime(path, (OLD, OLD))


async def test_left_files_go_and_registered_ones_stay(settings, pool, night):
    before = await current(pool)
    for _, stored, _ in before:
        aged((settings.data_dir / stored).parent)
    home = settings.versions_dir / "ab" / "abcd"
    for attempt, record in (("1", ".record.json.pending"), ("2", "record.json"), ("3", None)):
        (home / attempt).mkdir(parents=True)
        (home / attempt / "x.fits").write_bytes(b"x")
        if record:
            (home / attempt / record).write_text("{}")
        if attempt != "3":
            aged(home / attempt)
    torn = settings.products_dir / ".OBJ0001red.fits.0a1b2c3d"
    torn.write_bytes(b"x")
    aged(torn)
    fresh = settings.products_dir / ".OBJ0002red.fits.0a1b2c3d"
    fresh.write_bytes(b"x")
    folder = settings.work_dir / "0123456789abcdef-1"
    folder.mkdir(parents=True)
    aged(folder)
    logs = settings.logs_dir / "reductions" / NIGHT
    for path in logs.iterdir():
        aged(path)
    (logs / "gone-1.log").write_text("")
    aged(logs / "gone-1.log")
    (logs / "new-1.log").write_text("")
    named = len(list(logs.iterdir())) - 2

    report = await tidy(pool, settings)
    assert report.unregistered == ["products/.versions/ab/abcd/1"]
    # What a confirmed record vouches for stays, and what is younger than a day.
    assert sorted(path.name for path in home.iterdir()) == ["2", "3"]
    assert (report.torn, fresh.exists(), torn.exists()) == (
        ["products/.OBJ0001red.fits.0a1b2c3d"],
        True,
        False,
    )
    assert (report.work_folders, folder.exists()) == (["work/0123456789abcdef-1"], False)
    assert report.logs == [f"logs/reductions/{NIGHT}/gone-1.log"]
    assert len(list(logs.iterdir())) == named + 1
    assert is_whole(settings, before)
    (mark,) = read_marks(marks_path(settings)).marks
    assert (mark.junked, mark.reason) == (True, "cloud")


async def test_an_empty_database_does_not_take_the_store_with_it(settings, pool, night):
    stored = sorted(settings.versions_dir.rglob("*.fits"))
    for path in stored:
        aged(path.parent)
    await pool.execute("TRUNCATE product, reduction, slot, frame_plan, frame CASCADE")
    report = await tidy(pool, settings)
    assert (report.unregistered, sorted(settings.versions_dir.rglob("*.fits"))) == ([], stored)
