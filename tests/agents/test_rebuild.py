"""A database that is lost comes back from raw files, products and marks."""

from __future__ import annotations

import os
import shutil

import pytest

from agents.rebuild.main import rebuild
from agents.rebuild.marks import Marks, gather_marks, marks_path, read_marks, write_marks
from agents.reducer.record import PENDING, RECORD, counting, find_records
from paws.clock import utc_now
from paws.database import connect, open_pool
from paws.errors import InvalidInputError
from paws.orders.book import mark_frames
from paws.orders.repeat import reprocess
from tests.support.flow import Flow
from tests.support.lost import lose
from tests.support.rawfiles import raw_frame
from tests.support.reductions import FakeEngine

NIGHT = "20260312"
TABLES = {
    "frame": "frame_id, night, name, path, checksum, size_bytes, mtime_ns, source, arm, run, frame_class, object_name,"
    " field, configuration, plate, grating, central_wavelength, proposal, exposed, utmjd, ra, dec, airmass, document,"
    " header, completed_at, junked, junk_reason, junked_by, junked_at",
    "rejected_file": "path, name, night, size_bytes, mtime_ns, code, reason, resolved_at",
    "frame_plan": "frame_id, night, state, reason, job_key, level, provisional, decision",
    "slot": "slot, night, job_key",
    "reduction": "job_key, slot, kind, night, arm, state, priority, provisional, engine, engine_version, document,"
    " attempt, tries, forced, stage, progress, outcome, error_code, error, log_path, requested_at, queued_at,"
    " started_at, engine_started_at, engine_finished_at, finished_at",
    "reduction_frame": "job_key, frame_id",
    "product": "product_id, job_key, slot, kind, night, arm, version, current, path, stored_path, checksum, size_bytes,"
    " plate, grating, field, run, level, provisional, quality, provenance, created_at",
    "product_frame": "product_id, frame_id",
    "spectrum": "*",
    "product_spectra": "product_id, checksum, flux_unit, exposures, fibre_table_id",
    "fibre_table": "*",
    "fibre": "*",
    "vo.obscore": "*",
    "observing_log": "frame_id, night, run, arm, ut_start, frame_class, object_name, field, plate, grating,"
    " central_wavelength, exposed, airmass, proposal, level, signal_to_noise, result",
    "notification": "*",
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A field with two exposures, two flats of which one is set aside, two biases, and a file that is cut off."""
    folder = tmp_path_factory.mktemp("raw") / "260312" / "ccd_1"
    folder.mkdir(parents=True)
    kinds = [
        ("BIAS", {"EXPOSED": 0.0}),
        ("BIAS", {"EXPOSED": 0.0}),
        ("MFFFF", {"EXPOSED": 5.0}),
        ("MFARC", {"EXPOSED": 30.0}),
        ("MFOBJECT", {}),
        ("MFOBJECT", {}),
        ("MFOBJECT", {}),
    ]
    for run, (kind, facts) in enumerate(kinds, start=1):
        content = raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, **facts)
        (folder / f"12mar1{run:04d}.fits").write_bytes(content)
    (folder / "12mar10008.fits").write_bytes(b"SIMPLE  =                    T")
    yield folder.parent
    shutil.rmtree(folder.parent)


def files_of(raw):
    return sorted(raw.rglob("*.fits"))


async def contents(pool, tables=TABLES):
    found = {}
    for table, columns in tables.items():
        rows = await pool.fetch(f"SELECT {columns} FROM {table}")
        found[table] = sorted((dict(row) for row in rows), key=repr)
    return found


async def observe(settings, pool, raw):
    """A night as it comes: reduced, an exposure junked, a reduction repeated."""
    flow = Flow(settings, pool, FakeEngine())
    await flow.take_in(files_of(raw))
    await flow.run()
    async with pool.acquire() as connection:
        frame = await connection.fetchval("SELECT frame_id FROM frame WHERE name = '12mar10006.fits'")
        await mark_frames(
            connection, [frame], NIGHT, junked=True, reason="cloud", who="observer", at=utc_now()
        )
        await connection.execute(
            "INSERT INTO notification (notification_id, night, kind, subject, body) VALUES ('n', $1, 'k', 's', 'b')",
            NIGHT,
        )
    await flow.run()
    connection = await connect(settings)
    try:
        await reprocess(connection, "12mar10005", night=NIGHT, force=True, kind=None, at=utc_now())
    finally:
        await connection.close()
    await flow.run()


@pytest.fixture
def settings(database, raw):
    return database.model_copy(
        update={"raw_dirs": (raw.parent / "260312",), "match_group_quiet": 0.0, "match_wait": 0.0}
    )


async def test_everything_comes_back(settings, pool, raw):
    await observe(settings, pool, raw)
    before = await contents(pool)
    assert len(before["product"]) >= 9
    assert len(before["rejected_file"]) == 1
    assert before["spectrum"]
    assert {row["run"] for row in before["vo.obscore"]} == {5, 7, None}, "the junked exposure is not there"
    assert before["fibre"]
    async with pool.acquire() as connection:
        write_marks(marks_path(settings), await gather_marks(connection))
    tree = {
        path: path.stat().st_ino
        for path in settings.products_dir.rglob("*.fits")
        if ".versions" not in path.parts
    }
    # The tree of current products is made anew as well.
    shutil.rmtree(next(settings.products_dir.glob("p*")))

    lost = await lose(settings)
    async with open_pool(lost) as empty:
        report = await rebuild(empty, lost, read_marks(marks_path(lost)), workers=2)
        assert report.problems == []
        after = await contents(empty)
        for table, rows in before.items():
            for one, other in zip(after[table], rows, strict=True):
                assert {name: (one[name], other[name]) for name in one if one[name] != other[name]} == {}, (
                    table
                )
        assert {
            path: path.stat().st_ino
            for path in settings.products_dir.rglob("*.fits")
            if ".versions" not in path.parts
        } == tree
        # Again, it changes nothing.
        again = await rebuild(empty, lost, read_marks(marks_path(lost)), workers=2)
        assert (again.frames, again.reductions, again.live, again.marks, again.links) == (0, 0, 0, 0, 0)
        assert await contents(empty) == after
        # And nothing is left to reduce.
        assert await empty.fetchval("SELECT count(*) FROM outbox WHERE topic = 'reductions.requested'") == 0


async def test_without_a_product_its_reduction_is_asked_for_again(settings, pool, raw):
    flow = Flow(settings, pool, FakeEngine())
    await flow.take_in(files_of(raw))
    await flow.run()
    gone = await pool.fetchrow(
        "SELECT stored_path, job_key FROM product WHERE kind = 'object' ORDER BY run LIMIT 1"
    )
    os.unlink(settings.data_dir / gone["stored_path"])
    lost = await lose(settings)
    async with open_pool(lost) as empty:
        report = await rebuild(empty, lost, Marks(), workers=2)
        assert len(report.problems) == 1
        asked = await empty.fetch(
            "SELECT payload -> 'reduction' ->> 'job_key' AS key FROM outbox WHERE topic = 'reductions.requested'"
        )
        assert gone["job_key"] in {row["key"] for row in asked}


async def test_marks_that_are_lost_are_told(settings, tmp_path):
    with pytest.raises(InvalidInputError, match="--without-marks"):
        read_marks(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_marks(tmp_path / "bad.json")


def test_which_records_count(tmp_path):
    home = tmp_path / "ab" / "abc"
    for attempt, names in {1: [RECORD], 2: [PENDING], 3: [RECORD], 4: [PENDING], 5: [PENDING], 6: []}.items():
        folder = home / str(attempt)
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text("")
    (home / "stray").mkdir()
    found = [str(path.relative_to(home)) for path in counting(home)]
    # Confirmed ones, and of those pending after them the last: what it made is whole.
    assert found == [f"1/{RECORD}", f"3/{RECORD}", f"5/{PENDING}"]
    assert list(find_records(tmp_path)) == counting(home)
