"""The way to PostgreSQL: pools with deadlines, JSON codecs, migrations."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any, Literal

import asyncpg
import orjson

from paws.errors import ConfigurationError, PermanentError, ServiceUnavailableError
from paws.log import get_logger
from paws.settings import Settings

Connection = Any  # asyncpg ships no types; a pool's proxy and a connection serve alike
Pool = Any

DATABASE_TROUBLES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a database that is away, ends or is in trouble raises; TimeoutError is an OSError.

InternalClientError is what asyncpg says when the server dies in the middle of a query.
"""

log = get_logger(__name__)

_MIGRATION_LOCK = 0x70617773  # "paws"
_MIGRATION_DEADLINE = 3600.0


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


async def prepare_connection(connection: Connection) -> None:
    """Make ``jsonb`` and ``json`` columns travel as Python values."""
    for name in ("jsonb", "json"):
        await connection.set_type_codec(name, encoder=_dump, decoder=orjson.loads, schema="pg_catalog")


async def connect(settings: Settings, *, migrated: bool = True) -> Connection:
    """One connection, prepared; for listening and for short commands.

    Parameters
    ----------
    migrated
        Whether the database must have the newest schema.

    Raises
    ------
    ServiceUnavailableError
        If the database does not answer within the deadline.
    ConfigurationError
        If no database is set, it refuses the login, or it lacks tables that this version needs.
    """
    dsn = settings.require_database()
    try:
        connection = await asyncpg.connect(
            dsn, timeout=settings.database_deadline, command_timeout=settings.database_deadline
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise ConfigurationError(f"The database refuses us: {error}. Check PAWS_DATABASE_URL.") from error
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise ServiceUnavailableError(
            f"The database does not answer: {error}. Check that it runs and PAWS_DATABASE_URL."
        ) from error
    try:
        await prepare_connection(connection)
        if migrated:
            await _check_schema(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _leave_as_it_is(_connection: Connection) -> None:
    """Give a connection back without asking the server to forget what was set on it.

    asyncpg has ended the transaction by then. Nothing else is left on connections of a pool: who listens, or holds
    a lock for longer than a transaction, has a connection of its own (`connect`). It saves a way to the server and
    back at every use.
    """


@asynccontextmanager
async def open_pool(
    settings: Settings, size: int | None = None, *, plan_each: bool = False
) -> AsyncIterator[Pool]:
    """Connection pool, closed at the end.

    Parameters
    ----------
    plan_each
        Plan every query for its own values, though it is asked again and again: for questions whose best plan
        depends on who asks.

    Raises
    ------
    ServiceUnavailableError
        If the database does not answer within the deadline.
    ConfigurationError
        If the database lacks tables that this version needs.
    """
    probe = await connect(settings)  # tells wrong settings from absence, which the pool does not
    await probe.close()
    pool = await asyncpg.create_pool(
        settings.require_database(),
        min_size=1,
        max_size=size or settings.database_pool,
        timeout=settings.database_deadline,
        command_timeout=settings.database_deadline,
        init=prepare_connection,
        server_settings={"plan_cache_mode": "force_custom_plan"} if plan_each else None,
        reset=_leave_as_it_is,
    )
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=5)
        except TimeoutError:
            pool.terminate()


def migrations() -> list[tuple[str, str]]:
    """Migrations in order: name and SQL."""
    folder = resources.files("schemas") / "migrations"
    return sorted((item.name, item.read_text()) for item in folder.iterdir() if item.name.endswith(".sql"))


async def _check_schema(connection: Connection) -> None:
    done: set[str] = set()
    if await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
        done = {row["name"] for row in await connection.fetch("SELECT name FROM migration")}
    missing = [name for name, _ in migrations() if name not in done]
    if missing:
        raise ConfigurationError(
            f"The database lacks {', '.join(missing)}. Run `paws migrate` with the same PAWS_DATABASE_URL."
        )


async def migrate(
    connection: Connection, geometry: Literal["auto", "pgsphere", "cube"] = "auto"
) -> list[str]:
    """Bring the database to the newest schema, the job queue's included. May be run by many at once.

    Parameters
    ----------
    geometry
        How positions will be searched: PAWS_TAP_GEOMETRY (see `paws.vo.geometry.prepare`).

    Returns
    -------
    list of str
        Names of the migrations applied now.

    Raises
    ------
    PermanentError
        If an applied migration differs from the one shipped.
    ConfigurationError
        If `geometry` asks for an extension that cannot be had, or the database's user may not do what a migration
        needs; the text says what an administrator has to run.
    """
    applied: list[str] = []
    await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {
            row["name"]: row["checksum"]
            for row in await connection.fetch("SELECT name, checksum FROM migration")
        }
        for name, sql in [("0000_procrastinate.sql", _queue_schema()), *migrations()]:
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            if name in done:
                if done[name] != checksum:
                    raise PermanentError(
                        f"Migration {name} in the database differs from the one shipped. "
                        "Use the version of PAWS Live that made this database, or a new database."
                    )
                continue
            async with connection.transaction():
                # Large archives take their time; the deadline of a connection is for questions.
                try:
                    await connection.execute(sql, timeout=_MIGRATION_DEADLINE)
                except asyncpg.RaiseError as error:
                    # What a migration says itself: the database's user may not do what an administrator has to.
                    raise ConfigurationError(
                        f"Migration {name}: {error.args[0]}. {error.hint or ''}".strip()
                    ) from error
                await connection.execute(
                    "INSERT INTO migration (name, checksum) VALUES ($1, $2)", name, checksum
                )
            applied.append(name)
            log.info("migration applied", migration=name)
        backend = await _prepare_geometry(connection, geometry)
        await _declare_tables(connection, backend)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _MIGRATION_LOCK)
    return applied


async def _prepare_geometry(
    connection: Connection, wanted: Literal["auto", "pgsphere", "cube"]
) -> Literal["pgsphere", "cube"]:
    from paws.vo.geometry import prepare

    return await prepare(connection, wanted)


async def _declare_tables(connection: Connection, backend: Literal["pgsphere", "cube"]) -> None:
    """Bring what the code says of its tables into TAP_SCHEMA, and index their positions. Idempotent."""
    from paws.vo.declared.all import DECLARED
    from paws.vo.geometry import index_positions
    from paws.vo.tap_schema import declare_all

    if not await connection.fetchval("SELECT to_regclass('tap_schema.version') IS NOT NULL"):
        return  # whoever brings a database only to an early schema has no tables to declare
    for name in await declare_all(connection, DECLARED):
        log.info("tables declared", schema=name)
    wanted = {index for schema in DECLARED for table in schema.tables for index in table.position_indexes}
    for index in sorted(wanted, key=lambda item: item.relation):
        await index_positions(connection, backend, index.relation, index.ra, index.dec)


def _queue_schema() -> str:
    from procrastinate.schema import SchemaManager

    return str(SchemaManager.get_schema())
