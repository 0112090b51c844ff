"""``paws doctor`` against a real database."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import asyncpg
import pytest

from agents.doctor.finding import State
from agents.doctor.services import look_at_database
from paws.database import connect
from paws.settings import as_environment


@pytest.fixture
async def connection(database):
    connection = await connect(database)
    yield connection
    await connection.close()


async def states(settings):
    return {item.part: item.state for item in await look_at_database(settings)}


async def test_a_fresh_database_is_in_order(database):
    assert set((await states(database)).values()) == {State.OK}


async def test_waiting_work_without_a_runner_and_silent_runners(database, connection):
    await connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('reduce-builtin', 'reduce')"
    )
    assert (await states(database))["queue"] is State.ERROR
    worker = await connection.fetchval(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
    )
    await connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = $1", worker)
    assert (await states(database))["leases"] is State.ERROR


async def test_an_old_unpublished_event_and_a_foreign_migration(database, connection):
    await connection.execute(
        "INSERT INTO outbox (topic, key, event_id, payload, created_at)"
        " VALUES ('frames.arrived', '20260312', 'x', '{}', now() - interval '5 minutes')"
    )
    await connection.execute("INSERT INTO migration (name, checksum) VALUES ('0099_future.sql', 'x')")
    found = await states(database)
    assert (found["outbox"], found["migrations"]) == (State.ERROR, State.ERROR)


async def test_an_empty_database_wants_migration(database):
    url = database.require_database()
    name = "doctor_empty"
    admin = await asyncpg.connect(url)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        empty = urlsplit(url)._replace(path=f"/{name}").geturl()
        settings = database.model_copy(update={"database_url": type(database.database_url)(empty)})
        found = await states(settings)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()
    assert (found["migrations"], found["queue"]) == (State.ERROR, State.SKIPPED)


async def test_the_command(database, tmp_path):
    def run():
        return subprocess.run(
            [sys.executable, "-m", "paws", "doctor", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    environment = {**os.environ, **as_environment(database), "PAWS_RAW_DIRS": str(tmp_path)}
    done = await asyncio.to_thread(run)
    document = json.loads(done.stdout)
    parts = {item["part"]: item["state"] for item in document["findings"]}
    assert parts["database"] == parts["migrations"] == parts["raw folder 1"] == "ok"
    assert done.returncode == (0 if document["ok"] else 1)
    assert all(item["advice"] for item in document["findings"] if item["state"] in ("error", "warning"))
