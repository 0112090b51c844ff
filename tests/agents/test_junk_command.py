"""``paws junk``, as a person types it."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest
from click.testing import CliRunner

from agents.calib_matcher.command import junk
from paws.errors import InvalidInputError
from paws.settings import Settings
from tests.support.nights import make_frame


@pytest.fixture
def data(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PAWS_DATABASE_URL", database.database_url.get_secret_value())
    frame = make_frame("MFOBJECT", 11)
    columns = "frame_id, night, name, path, checksum, size_bytes, arm, run, frame_class, exposed, utmjd"
    run(
        database,
        f"INSERT INTO frame ({columns}, document, completed_at) VALUES ('{frame.frame_id}', '{frame.night}',"
        f" '{frame.name}', '/x', '{frame.checksum}', 1, 'blue', 11, 'MFOBJECT', 1, 61000, '{{}}', now())",
    )
    return database


def run(settings: Settings, statement: str) -> list[asyncpg.Record]:
    async def go() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(go())


def test_a_frame_is_junked_once_and_taken_back(data: Settings) -> None:
    runner = CliRunner()
    first = runner.invoke(junk, ["12mar10011", "--reason", "clouds; see <log>", "--who", "me"])
    assert first.exit_code == 0, first.output
    assert "is junked" in first.output
    again = runner.invoke(junk, ["12mar10011.fits", "--reason", "clouds; see <log>", "--json"])
    assert json.loads(again.output)["changed"] is False
    (row,) = run(data, "SELECT junked, junk_reason, junked_by FROM frame")
    assert tuple(row) == (True, "clouds; see <log>", "me")

    back = runner.invoke(junk, ["12mar10011", "--undo", "--night", "20260312"])
    assert "good again" in back.output
    (row,) = run(data, "SELECT junked FROM frame")
    assert not row["junked"]
    events = run(data, "SELECT count(*) FROM outbox WHERE topic = 'frames.junked'")
    assert events[0][0] == 2


def test_a_reason_is_asked_for(data: Settings) -> None:
    result = CliRunner().invoke(junk, ["12mar10011"])
    assert result.exit_code == 2
    assert "--reason" in result.output


def test_an_unknown_frame_is_said_to_be_unknown(data: Settings) -> None:
    result = CliRunner().invoke(junk, ["12mar10099", "--reason", "why"])
    assert isinstance(result.exception, InvalidInputError)
    assert "There is no frame 12mar10099" in result.exception.message
