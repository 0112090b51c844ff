"""An archive is indexed in other processes, into a real database."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from agents.ingest.backfill import BackfillReport, run_backfill
from agents.ingest.command import backfill
from paws.database import open_pool
from paws.errors import PermanentError
from paws.settings import Settings
from tests.support.rawfiles import raw_frame, red

AAT = 149.0661


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three frames, one of them twice; a duplicate name; a dummy; two files that cannot be used."""
    root = tmp_path / "archive"
    first, second = root / "260312" / "ccd_1", root / "260312" / "ccd_2"
    copies = root / "copies"
    for folder in (first, second, copies):
        folder.mkdir(parents=True)
    (first / "12mar10001.fits").write_bytes(raw_frame("BIAS"))
    (first / "12mar10011.fits").write_bytes(raw_frame())
    (copies / "12mar10011.fits").write_bytes(raw_frame())
    (second / "12mar20011.fits").write_bytes(raw_frame(**red()))
    (copies / "12mar20011.fits").write_bytes(raw_frame(seed=5, **red()))
    (first / "12mar10012.fits").write_bytes(raw_frame(DUMMY=1))
    (first / "12mar10013.fits").write_bytes(raw_frame()[:9_000_000])
    (first / "figure.fits").write_bytes(b"SIMPLE  =                    T")
    return root


async def run(settings: Settings, folder: Path) -> BackfillReport:
    async with open_pool(settings) as pool:
        return await run_backfill(str(folder), pool, AAT, workers=2)


async def rows(settings: Settings, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(settings.require_database())
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def test_an_archive_is_indexed_once_and_nothing_is_announced(database: Settings, archive: Path) -> None:
    report = await run(database, archive)
    assert (report.found, report.known, report.not_ours) == (8, 0, 1)
    assert sorted(item["code"] for item in report.rejected) == ["duplicate_name", "truncated", "wrong_name"]
    frames = await rows(
        database, "SELECT name, source, night, frame_class, document FROM frame ORDER BY name"
    )
    assert [row["name"] for row in frames] == ["12mar10001.fits", "12mar10011.fits", "12mar20011.fits"]
    assert {(row["source"], row["night"]) for row in frames} == {("backfill", "20260312")}
    assert json.loads(frames[1]["document"])["field"] == "FLD195_v03"
    assert await rows(database, "SELECT 1 FROM outbox") == []
    # Nobody is sent a mail about the frames of other years.
    assert await rows(database, "SELECT 1 FROM rejected_file WHERE told_in IS NULL") == []

    again = await run(database, archive)
    assert again.known == 3
    assert again.found == 8
    assert (
        await rows(database, "SELECT name, source, night, frame_class, document FROM frame ORDER BY name")
        == frames
    )


async def test_a_frame_seen_live_stays_live(database: Settings, archive: Path) -> None:
    await run(database, archive / "260312" / "ccd_2")
    connection = await asyncpg.connect(database.require_database())
    await connection.execute("UPDATE frame SET source = 'live', mtime_ns = 0")
    await connection.close()
    report = await run(database, archive / "260312" / "ccd_2")
    assert report.known == 0
    assert [row["source"] for row in await rows(database, "SELECT source FROM frame")] == ["live"]


async def test_a_folder_that_is_absent_is_named(database: Settings, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="nowhere"):
        await run(database, tmp_path / "nowhere")


def test_the_command_prints_one_object(
    database: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAWS_DATABASE_URL", database.require_database())
    done = CliRunner().invoke(backfill, [str(archive), "--json", "--workers", "1"], catch_exceptions=False)
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert (report["found"], len(report["rejected"])) == (8, 3)
    assert all(item["reason"] for item in report["rejected"])
    text = CliRunner().invoke(backfill, [str(archive), "--workers", "1"], catch_exceptions=False)
    assert "truncated" in text.stdout
    assert "8 files:" in text.stdout
