"""Looking at the database and the broker."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from agents.doctor.finding import Finding, error, ok, skipped, warning
from agents.doctor.judge import (
    judge_clock,
    judge_lag,
    judge_migrations,
    judge_outbox,
    judge_topics,
    judge_work,
)
from paws.database import Connection, connect, migrations
from paws.errors import PawsError
from paws.lag import consumer_lag
from paws.operations import work
from paws.settings import Settings
from schemas.topics import TOPICS

OLDEST_POSTGRESQL = 150_000

DEPENDS_ON_DATABASE = ("clock", "migrations", "queue", "leases", "failures", "outbox")


async def look_at_database(settings: Settings) -> list[Finding]:
    """Findings of the database and of the work that it knows of."""
    if not settings.database_url.get_secret_value():
        return [
            warning(
                "database",
                "none is set and nothing runs here",
                "Set PAWS_DATABASE_URL, or start `paws up`, which brings its own.",
            ),
            *(skipped(part, "the database comes first") for part in DEPENDS_ON_DATABASE),
        ]
    try:
        connection = await connect(settings, migrated=False)
    except PawsError as problem:
        return [
            error(
                "database", problem.message, "See that PostgreSQL runs, and that PAWS_DATABASE_URL is right."
            ),
            *(skipped(part, "the database comes first") for part in DEPENDS_ON_DATABASE),
        ]
    try:
        return await _look(connection, settings)
    finally:
        await connection.close()


async def _look(connection: Connection, settings: Settings) -> list[Finding]:
    version = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    text = str(await connection.fetchval("SELECT current_setting('server_version')"))
    found = [
        ok("database", f"PostgreSQL {text}")
        if version >= OLDEST_POSTGRESQL
        else error("database", f"PostgreSQL {text}", "Update it to version 15 or newer.")
    ]
    # Between two looks at our clock: what the way there takes must not count.
    before = datetime.now(UTC)
    theirs = await connection.fetchval("SELECT clock_timestamp()")
    ours = before + (datetime.now(UTC) - before) / 2
    found.append(judge_clock(ours - theirs))
    applied = await _applied(connection)
    shipped = {name: hashlib.sha256(sql.encode()).hexdigest() for name, sql in migrations()}
    schema = judge_migrations(
        [name for name in shipped if name not in applied],
        [name for name, checksum in shipped.items() if applied.get(name, checksum) != checksum],
        [name for name in applied if name not in shipped and name != "0000_procrastinate.sql"],
    )
    found.append(schema)
    if not all(name in applied for name in shipped):
        return [*found, *(skipped(part, "the migrations come first") for part in DEPENDS_ON_DATABASE[2:])]
    found += judge_work(await work(connection, settings))
    row = await connection.fetchrow(
        "SELECT count(*) AS waiting, extract(epoch FROM now() - min(created_at))::float8 AS age"
        " FROM outbox WHERE published_at IS NULL"
    )
    found.append(judge_outbox(row["waiting"], float(row["age"] or 0.0)))
    return found


async def _applied(connection: Connection) -> dict[str, str]:
    if not await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
        return {}
    rows = await connection.fetch("SELECT name, checksum FROM migration")
    return {row["name"]: row["checksum"] for row in rows}


async def look_at_broker(settings: Settings) -> list[Finding]:
    """Findings of the broker: it answers, its topics, how far the workers are behind."""
    if not settings.broker_url:
        return [
            warning(
                "broker",
                "none is set and nothing runs here",
                "Set PAWS_BROKER_URL, or start `paws up`, which brings its own.",
            ),
            skipped("topics", "the broker comes first"),
            skipped("lag", "the broker comes first"),
        ]
    try:
        lag = await consumer_lag(settings)
        partitions = await _partitions(settings)
    except PawsError as problem:
        return [
            error(
                "broker",
                problem.message,
                "Frames are taken in meanwhile and nothing is lost; start it again.",
            ),
            skipped("topics", "the broker comes first"),
            skipped("lag", "the broker comes first"),
        ]
    wanted = [settings.topic(spec.name) for spec in TOPICS]
    ours = {topic: count for topic, count in partitions.items() if topic in wanted}
    return [
        ok("broker", f"{settings.require_broker()} answers"),
        judge_topics([topic for topic in wanted if topic not in ours], ours),
        judge_lag(lag),
    ]


async def _partitions(settings: Settings) -> dict[str, int]:
    import asyncio

    from aiokafka.admin import AIOKafkaAdminClient

    from paws.errors import ServiceUnavailableError
    from paws.lag import DEADLINE

    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.require_broker(), request_timeout_ms=int(DEADLINE * 1000)
    )
    try:
        async with asyncio.timeout(DEADLINE):
            await admin.start()
            topics = await admin.describe_topics()
            return {topic["topic"]: len(topic["partitions"]) for topic in topics}
    except Exception as problem:
        raise ServiceUnavailableError(f"The broker does not tell its topics: {problem!r}.") from problem
    finally:
        await admin.close()
