from __future__ import annotations

import asyncio
import os
import shutil
from types import SimpleNamespace

import pytest
from astropy.io import fits
from blake3 import blake3

from agents.reducer.engines import EngineDiedError
from agents.reducer.engines.base import EngineAwayError, EngineDeadlineError
from agents.reducer.placing import reconcile_links
from agents.reducer.runner.identity import here, runner_identity
from agents.reducer.runner.mend import mend
from agents.reducer.runner.runner import Runner, TryAgainLater
from schemas.events import ReductionFinished
from schemas.reductions import ProductInput
from schemas.vocabulary import CalibrationRole, ProductKind, ReductionKind
from tests.support.reductions import (
    AT,
    FakeEngine,
    ask_for,
    events_of,
    reduction_of,
    stored_frame,
    want,
    write_raw,
)


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def runner_of(database, pool, engine):
    """Make a runner with settings of its own."""

    def make(**changes):
        settings = database.model_copy(update={"runner_attempts": 2, "runner_backoff": 0.5, **changes})
        return Runner(settings=settings, pool=pool, engine=engine, identity=runner_identity())

    return make


@pytest.fixture
def runner(runner_of):
    return runner_of()


@pytest.fixture
async def make(pool, tmp_path):
    """Ask for a reduction of a new frame; it is wanted."""

    async def ask(kind=ReductionKind.REDUCE_BIAS, run=11, force=False, **options):
        frame = await stored_frame(pool, tmp_path / "raw", run)
        return await ask_for(pool, reduction_of(kind, [frame], **options), force=force)

    return ask


async def _row(pool, reduction):
    async with pool.acquire() as connection:
        return await connection.fetchrow("SELECT * FROM reduction WHERE job_key = $1", reduction.job_key)


async def _products(pool):
    async with pool.acquire() as connection:
        return await connection.fetch("SELECT * FROM product ORDER BY slot, kind, version")


async def test_a_reduction_becomes_a_product(runner, pool, make, database, tmp_path):
    reduction = await make(ReductionKind.MAKE_TLM)
    await runner.reduce(reduction.job_key)
    (product,) = await _products(pool)
    stored = database.data_dir / product["stored_path"]
    shown = database.products_dir / product["path"]
    assert product["current"]
    assert product["path"] == "p1/385R/s1/20260312-FLD195_v03-p1/FLAT0011tlm.fits"
    assert stored.samefile(shown)
    assert not os.access(stored, os.W_OK) or os.geteuid() == 0
    assert product["checksum"] == blake3(stored.read_bytes()).hexdigest()
    assert product["size_bytes"] == stored.stat().st_size
    with fits.open(shown) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert header["PAWSJOB"] == reduction.job_key
        assert header["PAWSENG"] == "builtin: test 1"
        assert reduction.frames[0].checksum in str(header["HISTORY"])
        assert hdus["VARIANCE"].shape == hdus[0].shape
    assert product["provenance"]["inputs"][0]["source"] == reduction.frames[0].frame_id
    row = await _row(pool, reduction)
    assert (row["state"], row["attempt"], row["tries"]) == ("succeeded", 1, 1)
    assert (database.data_dir / row["log_path"]).read_text().count("RAW file") == 1
    (finished,) = [
        ReductionFinished.model_validate(event) for event in await events_of(pool, "reductions.finished")
    ]
    assert finished.products[0].product_id == product["product_id"]
    assert finished.timing.engine_seconds >= 0
    frames = [
        event["state"] for event in await events_of(pool, "status.events") if event["entity"] == "frame"
    ]
    assert frames[0] == "queued"
    assert frames[-1] == "reduced"
    assert list((database.work_dir).iterdir()) == []


async def test_products_are_read_through_their_keys(runner, pool, make, engine):
    tlm = await make(ReductionKind.MAKE_TLM, run=3)
    await runner.reduce(tlm.job_key)
    role = {CalibrationRole.TLM: ProductInput(job_key=tlm.job_key, kind=ProductKind.TLM)}
    arc = await make(ReductionKind.REDUCE_ARC, run=4, calibrations=role)
    await runner.reduce(arc.job_key)
    assert engine.commands[-1][-2:] == ["-TLMAP_FILENAME", "12mar20003tlm.fits"]
    row = next(product for product in await _products(pool) if product["kind"] == "arc")
    assert row["level"] == 1
    assert {item["role"] for item in row["provenance"]["inputs"]} == {"raw", "tlm"}


async def test_it_waits_while_an_input_is_being_made(runner, pool, make):
    tlm = await make(ReductionKind.MAKE_TLM, run=3)
    role = {CalibrationRole.TLM: ProductInput(job_key=tlm.job_key, kind=ProductKind.TLM)}
    arc = await make(ReductionKind.REDUCE_ARC, run=4, calibrations=role)
    with pytest.raises(TryAgainLater):
        await runner.reduce(arc.job_key)
    assert (await _row(pool, arc))["attempt"] == 0


async def test_a_dying_engine_is_tried_again(runner, pool, make, engine):
    reduction = await make()

    def die(cwd):
        raise EngineDiedError("The process died.", tail=["at the third line"])

    engine.behaviour[1] = die
    with pytest.raises(TryAgainLater) as wait:
        await runner.reduce(reduction.job_key)
    assert wait.value.wait.total_seconds() == 0.5
    row = await _row(pool, reduction)
    assert (row["state"], row["error_code"]) == ("retrying", "engine_died")
    assert "at the third line" in row["error"]
    assert await events_of(pool, "reductions.finished") == []
    await runner.reduce(reduction.job_key)
    row = await _row(pool, reduction)
    assert (row["state"], row["attempt"], row["error"]) == ("succeeded", 2, None)


async def test_it_gives_up_after_its_tries(runner, pool, make, engine):
    reduction = await make()

    def linger(cwd):
        raise EngineDeadlineError("It ran too long.")

    engine.behaviour = {1: linger, 2: linger}
    with pytest.raises(TryAgainLater):
        await runner.reduce(reduction.job_key)
    await runner.reduce(reduction.job_key)
    assert (await _row(pool, reduction))["state"] == "failed"
    (finished,) = await events_of(pool, "reductions.finished")
    assert (finished["state"], finished["outcome"], finished["attempts"]) == ("failed", "retriable", 2)


async def test_killed_engines_are_forgiven_more_often(runner, pool, make, engine):
    reduction = await make()

    def die(cwd):
        raise EngineDiedError("The process died.")

    engine.behaviour = dict.fromkeys(range(1, 6), die)
    for _ in range(5):
        with pytest.raises(TryAgainLater):
            await runner.reduce(reduction.job_key)
    await runner.reduce(reduction.job_key)
    assert (await _row(pool, reduction))["state"] == "succeeded"


async def test_bad_input_is_not_tried_again(runner, pool, make, engine):
    reduction = await make()
    engine.behaviour[1] = lambda cwd: 2
    await runner.reduce(reduction.job_key)
    row = await _row(pool, reduction)
    assert (row["state"], row["outcome"], row["error_code"]) == ("failed", "invalid_input", "engine_refused")
    assert "the last line" in row["error"]
    assert row["log_path"] in row["error"]
    assert await _products(pool) == []


async def test_a_failed_command_is_tried_again_in_a_clean_folder(runner, pool, make, engine):
    reduction = await make()
    seen = []

    def fail(cwd):
        seen.append(sorted(path.name for path in cwd.iterdir()))
        (cwd / "litter.dat").write_text("x")
        return 1

    engine.behaviour[1] = fail
    with pytest.raises(TryAgainLater):
        await runner.reduce(reduction.job_key)
    row = await _row(pool, reduction)
    assert (row["state"], row["error_code"]) == ("retrying", "engine_failed")
    assert f"Command: aaorun {reduction.kind.value} " in row["error"]
    engine.behaviour[2] = lambda cwd: seen.append(sorted(path.name for path in cwd.iterdir()))
    await runner.reduce(reduction.job_key)
    assert seen[0] == seen[1]
    assert (await _row(pool, reduction))["state"] == "succeeded"


async def test_what_ends_the_same_way_twice_is_given_up(runner_of, pool, make, engine):
    runner = runner_of(runner_attempts=5)
    reduction = await make()
    engine.behaviour = {1: lambda cwd: 1, 2: lambda cwd: 1}
    with pytest.raises(TryAgainLater):
        await runner.reduce(reduction.job_key)
    await runner.reduce(reduction.job_key)
    row = await _row(pool, reduction)
    assert (row["state"], row["outcome"], row["error_code"]) == ("failed", "permanent", "engine_failed")
    assert "the same way twice" in row["error"]


async def test_a_try_does_not_count_when_the_engine_was_away(runner, pool, make, engine):
    reduction = await make()

    def away(cwd):
        raise EngineAwayError("The daemon went away.")

    engine.behaviour = dict.fromkeys(range(1, 5), away)
    for _ in range(4):  # twice as often as it may fail
        with pytest.raises(TryAgainLater):
            await runner.reduce(reduction.job_key)
        assert (await _row(pool, reduction))["tries"] == 0
    await runner.reduce(reduction.job_key)
    row = await _row(pool, reduction)
    assert (row["state"], row["tries"], row["attempt"]) == ("succeeded", 1, 5)


async def test_a_failure_on_a_full_disk_is_put_down_to_the_disk(runner, pool, make, engine, monkeypatch):
    reduction = await make()
    engine.behaviour[1] = lambda cwd: 1
    full = SimpleNamespace(free=5 << 20)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: full)
        with pytest.raises(TryAgainLater):
            await runner.reduce(reduction.job_key)
    row = await _row(pool, reduction)
    assert (row["error_code"], row["tries"]) == ("disk_full", 0)
    assert "only 5 MB left" in row["error"]
    await runner.reduce(reduction.job_key)
    assert (await _row(pool, reduction))["state"] == "succeeded"


async def test_a_raw_file_that_changed_is_refused(runner, pool, make, engine, tmp_path):
    reduction = await make()
    write_raw(tmp_path / "raw", 11, content=b"more")
    await runner.reduce(reduction.job_key)
    assert (await _row(pool, reduction))["error_code"] == "input_changed"
    assert engine.commands == []


async def test_a_raw_file_that_is_gone_may_come_back(runner, pool, make):
    reduction = await make()
    os.rename(reduction.frames[0].path, reduction.frames[0].path + ".away")
    with pytest.raises(TryAgainLater):
        await runner.reduce(reduction.job_key)
    os.rename(reduction.frames[0].path + ".away", reduction.frames[0].path)
    await runner.reduce(reduction.job_key)
    assert (await _row(pool, reduction))["state"] == "succeeded"


async def test_a_late_runner_cannot_touch_what_its_successor_registered(database, runner, pool, make, engine):
    reduction = await make()
    release = asyncio.Event()

    async def hang(cwd):
        await release.wait()
        return 0

    engine.behaviour[1] = hang
    late = asyncio.create_task(runner.reduce(reduction.job_key))
    await engine.begun.wait()
    # The queue takes the first runner for dead and gives the job to another.
    await runner.reduce(reduction.job_key)
    (before,) = await _products(pool)
    release.set()
    await late
    (after,) = await _products(pool)
    assert dict(after) == dict(before)
    assert blake3((database.data_dir / after["stored_path"]).read_bytes()).hexdigest() == after["checksum"]
    assert len(await events_of(pool, "reductions.finished")) == 1


async def test_a_runner_that_stops_hands_the_work_back(runner, pool, make, engine):
    reduction = await make()
    engine.behaviour[1] = lambda cwd: asyncio.sleep(60)
    task = asyncio.create_task(runner.reduce(reduction.job_key))
    await engine.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    row = await _row(pool, reduction)
    assert (row["state"], row["attempt"], row["tries"]) == ("queued", 1, 0)
    await runner.reduce(reduction.job_key)
    assert (await _row(pool, reduction))["state"] == "succeeded"


async def test_a_better_reduction_supersedes_and_the_old_version_stays(runner, pool, make, database):
    provisional = await make(ReductionKind.MAKE_TLM)
    await runner.reduce(provisional.job_key)
    better = await make(ReductionKind.MAKE_TLM, parameters={"X": 1})
    await runner.reduce(better.job_key)
    first, second = await _products(pool)
    assert (first["current"], second["current"]) == (False, True)
    assert (first["version"], second["version"]) == (1, 2)
    assert first["superseded_at"] is not None
    assert (database.data_dir / first["stored_path"]).exists()
    assert (database.data_dir / second["stored_path"]).samefile(database.products_dir / second["path"])
    # The planner comes back to the first: it is there already and only becomes current again.
    await ask_for(pool, provisional)
    first, second = await _products(pool)
    assert (first["current"], second["current"]) == (True, False)
    async with pool.acquire() as connection:
        args = await connection.fetchval("SELECT args FROM procrastinate_jobs WHERE task_name = 'place'")
    await runner.place(args["slot"])
    assert (database.data_dir / first["stored_path"]).samefile(database.products_dir / first["path"])


async def test_a_forced_repetition_replaces_and_keeps_the_old_file(runner, pool, make, database):
    reduction = await make(ReductionKind.MAKE_TLM)
    await runner.reduce(reduction.job_key)
    (first,) = await _products(pool)
    await make(ReductionKind.MAKE_TLM, force=True)
    await runner.reduce(reduction.job_key)
    (second,) = await _products(pool)
    assert second["product_id"] == first["product_id"]
    assert second["version"] == 2
    assert second["provenance"]["replaced"][0]["stored_path"] == first["stored_path"]
    assert (database.data_dir / first["stored_path"]).exists()
    assert (database.data_dir / second["stored_path"]).samefile(database.products_dir / second["path"])


async def test_a_death_between_registration_and_placing_is_mended(runner, pool, make, database):
    reduction = await make(ReductionKind.MAKE_TLM)
    await runner.reduce(reduction.job_key)
    (product,) = await _products(pool)
    shown = database.products_dir / product["path"]
    shown.unlink()
    await runner.reduce(reduction.job_key)  # the queue gives the job again
    assert shown.exists()
    shown.unlink()
    shown.write_text("something else")
    assert await reconcile_links(pool, database) == 1
    assert shown.samefile(database.data_dir / product["stored_path"])
    assert await reconcile_links(pool, database) == 0


async def test_what_is_set_aside_and_wanted_again_is_revived(pool, make, database):
    reduction = await make()
    await want(pool, reduction.model_copy(update={"job_key": "b" * 64}))
    assert (await mend(pool, database, AT)).cancelled == 1
    assert (await _row(pool, reduction))["state"] == "cancelled"
    await want(pool, reduction)
    assert (await mend(pool, database, AT)).revived == 1
    assert (await _row(pool, reduction))["state"] == "queued"
    assert not await mend(pool, database, AT)


async def test_a_reduction_that_lost_its_job_gets_another(pool, make, database):
    reduction = await make()
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM procrastinate_jobs")
    assert (await mend(pool, database, AT)).requeued == 1
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT queueing_lock FROM procrastinate_jobs") == reduction.job_key


@pytest.mark.parametrize(
    ("runner_name", "heartbeat", "taken"),
    [
        (f"{here()}/999999999/1", "1 hour", 1),  # dead, on this machine: at once
        ("elsewhere-1/1/1", "1 hour", 0),  # alive, as far as its heartbeat tells
        ("elsewhere-1/1/1", "-1 hour", 1),  # silent for longer than its lease
    ],
)
async def test_jobs_of_dead_runners_are_taken_back(pool, make, database, runner_name, heartbeat, taken):
    reduction = await make()
    async with pool.acquire() as connection:
        worker = await connection.fetchval("SELECT worker_id FROM procrastinate_register_worker_v1()")
        await connection.execute(
            f"UPDATE procrastinate_workers SET last_heartbeat = now() + interval '{heartbeat}'"
        )
        job = await connection.fetchval(
            "SELECT id FROM procrastinate_fetch_job_v2(ARRAY['reduce-builtin'], $1)", worker
        )
        await connection.execute(
            "UPDATE reduction SET state = 'running', attempt = 1, tries = 1, runner = $2, queue_job_id = $3"
            " WHERE job_key = $1",
            reduction.job_key,
            runner_name,
            job,
        )
    assert (await mend(pool, database, AT)).taken_back == taken
    async with pool.acquire() as connection:
        status = await connection.fetchval("SELECT status::text FROM procrastinate_jobs")
    assert status == ("todo" if taken else "doing")
