"""What people set up and did is saved, and comes back with a rebuilt database."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import stat
from datetime import datetime, timedelta

import asyncpg
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from agents.rebuild import people
from agents.rebuild.command import backup, rebuild
from agents.rebuild.people import KEPT, MADE_ANEW, PASSING, people_path, restore_people, save_people
from agents.rebuild.save import save_all
from paws.accounts import groups
from paws.accounts import people as accounts
from paws.accounts.audit import Actor, note
from paws.accounts.secrets import digest, new_token
from paws.database import connect
from paws.errors import InvalidInputError
from paws.vo.publish.load import publish
from tests.support.lost import lose
from tests.vo.tables import made_up, wish

ME = Actor("root", "192.0.2.7")
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("three blue fibres")
TOKEN = new_token()


async def populate(connection):
    """Something in every table that is kept."""
    root = await accounts.add(connection, ME, "root", administrator=True, password_hash=HASHED)
    mia = await accounts.add(connection, ME, "mia", email="mia@example.org", issuer="https://i", subject="s")
    await groups.add(connection, ME, "A/2026A/008", "A \u2018title\u2019")
    await groups.put_member(connection, ME, "A/2026A/008", mia, "leader")
    await groups.set_period(connection, ME, "A/2026A/008", None)
    await connection.execute("UPDATE access_policy SET months = 30")
    await connection.execute(
        "INSERT INTO api_token (token_hash, hint, account_id, name, scopes, expires_at)"
        " VALUES ($1, 'paws_ab', $2, 'script', '{read,metrics}', 'infinity')",
        digest(TOKEN),
        root.account_id,
    )
    await connection.execute(
        "INSERT INTO share_link (share_hash, hint, proposal, fields, account_id, expires_at)"
        " VALUES ('\\x01ff', 'h', 'A/2026A/008', '{\"a, \\\"field\\\"\"}', $1, now())",
        mia.account_id,
    )
    await connection.execute("INSERT INTO attempt (kind, subject, at) VALUES ('sign in', 'mia', now())")
    await connection.execute(
        """
        INSERT INTO observer_order (order_id, night, kind, reason, who, at)
            VALUES ('o', '20260312', 'reduce', 'cloud', 'mia', now());
        INSERT INTO observer_order_frame VALUES ('o', 'f', 'reduced again');
        INSERT INTO frame_parameters VALUES ('f', '20260312', '{"TPMETH": "OFFSKY"}', 'cloud', 'mia', now());
        UPDATE observing_goal SET signal_to_noise = 5, set_by = 'mia';
        INSERT INTO observing_goal (proposal, from_night, signal_to_noise, source, set_by)
            VALUES ('A/2026A/008', '20260101', 10, 'us', 'mia');
        INSERT INTO request (request_id, account_id, who, night, engine, engine_version, parameters_version, variant,
                frames, submitted_at, webhook_secret, owners)
            SELECT '0123456789abcdef', account_id, 'mia', '20260312', 'builtin', '1', 1, 'v', 1, now(), 's', '{A/2026A/008}'
            FROM account WHERE name = 'mia';
        INSERT INTO request_frame (request_id, frame_id, position) VALUES ('0123456789abcdef', 'f', 0);
        INSERT INTO request_part (request_id, job_key, position, slot, kind, night, label, result)
            VALUES ('0123456789abcdef', 'k', 0, 's', 'reduce_object', '20260312', 'l', true);
        INSERT INTO request_event (request_id, at, kind, text) VALUES ('0123456789abcdef', now(), 'submitted', 't');
        INSERT INTO webhook_delivery (delivery_id, request_id, body, created_at)
            VALUES ('d', '0123456789abcdef', '{}', now());
        """
    )
    await note(connection, ME, "tried", detail={"deep": [1, None]})


async def contents(connection):
    return {
        table: [
            row["row"]
            for row in await connection.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY 1")
        ]
        for table in KEPT
    }


@pytest.fixture
async def here(database):
    connection = await connect(database)
    yield connection
    await connection.close()


async def test_every_table_is_kept_made_anew_or_passing(here):
    """A new table fails here until somebody has thought of what becomes of it when the database is lost."""
    rows = await here.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " AND table_name NOT LIKE 'procrastinate%' AND table_name <> 'migration'"
    )
    known = [*KEPT, *MADE_ANEW, *PASSING]
    assert len(known) == len(set(known))
    assert {row["table_name"] for row in rows} == set(known)


async def test_people_come_back(database, here):
    await populate(here)
    before = await contents(here)
    assert all(before.values()), "a table that is kept has nothing in this test"
    path = people_path(database)
    assert await save_people(here, path) == sum(len(rows) for rows in before.values())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in gzip.decompress(path.read_bytes()).decode()
    lost = await lose(database)
    connection = await connect(lost)
    try:
        restored = await restore_people(connection, path)
        assert await contents(connection) == before
        assert (restored.total, restored.in_the_way) == (sum(len(rows) for rows in before.values()), 0)
        assert await connection.fetchval("SELECT count(*) FROM attempt") == 0
        # Who comes now gets a number of their own.
        async with connection.transaction():
            await accounts.add(connection, ME, "lea")
        await connection.execute("UPDATE access_policy SET months = 6")
        later = await contents(connection)
        # Again, it changes nothing: neither what came back nor what was done since.
        again = await restore_people(connection, path)
        assert (again.total, again.in_the_way) == (0, 0)
        assert await contents(connection) == later
        assert await connection.fetchval("SELECT count(*) FROM account") == 3
    finally:
        await connection.close()


async def test_other_people_are_in_the_way(database, here):
    await populate(here)
    path = people_path(database)
    await save_people(here, path)
    lost = await lose(database)
    connection = await connect(lost)
    try:
        async with connection.transaction():
            await accounts.add(connection, ME, "mia")
        before = await contents(connection)
        with pytest.raises(InvalidInputError, match="accounts that are not those of"):
            await restore_people(connection, path)
        assert await contents(connection) == before
    finally:
        await connection.close()


async def test_an_empty_database_does_not_replace_the_backup(database, here):
    await populate(here)
    folder = database.data_dir / "backup"
    first = await save_all(here, database)
    assert first.people
    lost = await lose(database)
    connection = await connect(lost)
    try:
        second = await save_all(connection, lost)
        assert second.people is None
        restored = await restore_people(connection, people_path(database))
        assert restored.total == first.people
        # A month of former files stays, one a day.
        for day in range(1, 40):
            former = folder / "people.jsonl.gz"
            os.utime(former, (day * 86400, day * 86400))
            assert (await save_all(connection, lost)).people == first.people
    finally:
        await connection.close()
    names = sorted(path.name for path in folder.glob("people*"))
    days = [(datetime(1970, 1, 1) + timedelta(days=day)).strftime("%Y%m%d") for day in range(10, 40)]
    assert names == ["people.jsonl.gz", *(f"people.jsonl.gz.{day}" for day in days)]


def _cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def _foreign(path):
    path.write_bytes(gzip.compress(b'"something else"\n'))


def _unknown(path):
    rows = [json.dumps(people.FORMAT), '["account; DROP TABLE account", {}]']
    path.write_bytes(gzip.compress("\n".join(rows).encode()))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_cut, "cannot be read"),
        (_foreign, "no backup of people"),
        (_unknown, "does not know"),
        (lambda path: path.unlink(), "--without-people"),
    ],
)
async def test_a_damaged_backup_is_told_and_nothing_of_it_is_used(database, here, damage, told):
    await populate(here)
    path = people_path(database)
    await save_people(here, path)
    damage(path)
    await here.execute("TRUNCATE account, proposal, audit, observer_order, frame_parameters, request CASCADE")
    before = await contents(here)
    with pytest.raises(InvalidInputError, match=told):
        await restore_people(here, path)
    assert await contents(here) == before


def test_the_commands_save_and_bring_back(database, tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    monkeypatch.setenv("PAWS_DATABASE_URL", database.require_database())

    async def fill():
        connection = await connect(database)
        await populate(connection)
        await publish(connection, database, wish(), made_up())
        await connection.close()
        return (await lose(database)).require_database()

    lost = asyncio.run(fill())
    arguments = ["--data", str(database.data_dir)]
    saved = CliRunner().invoke(backup, [*arguments, "--out", str(tmp_path / "kept")])
    assert saved.exit_code == 0, saved.output
    assert "rows of people" in saved.output
    assert "1 published tables written" in saved.output
    monkeypatch.setenv("PAWS_DATABASE_URL", lost)
    arguments += ["--raw", str(tmp_path / "raw"), "--marks", str(tmp_path / "kept" / "marks.json"), "--json"]
    arguments += ["--people", str(tmp_path / "kept" / "people.jsonl.gz")]
    made = CliRunner().invoke(rebuild, [*arguments, "--tables", str(tmp_path / "kept" / "tables")])
    assert made.exit_code == 0, made.output
    report = json.loads(made.stdout.splitlines()[-1])
    assert report["people"]["account"] == 2
    assert report["problems"] == []
    assert report["tables"] == {"restored": ["gama.sources"], "left": {}}
    without = CliRunner().invoke(rebuild, [*arguments, "--without-tables"])
    assert json.loads(without.stdout.splitlines()[-1])["tables"] == {"restored": [], "left": {}}

    async def names():
        connection = await asyncpg.connect(lost)
        try:
            return {row["name"] for row in await connection.fetch("SELECT name FROM account")}
        finally:
            await connection.close()

    assert asyncio.run(names()) == {"root", "mia"}
