"""Running a query: as a role that may read what is published and nothing else, in one transaction, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from adql import Backend, Compiled, compile_query
from adql.catalogue import Catalogue, Table
from paws.access.predicate import values_of
from paws.access.rule import Sight
from paws.database import DATABASE_TROUBLES, Connection, Pool, prepare_connection
from paws.log import get_logger
from paws.settings import Settings
from paws.vo.catalogue import CatalogueDesk
from paws.vo.geometry import backend_of
from web.vo.tap.rows import FIRST, SAVEPOINT, Allowance, behind_walls, has_limits, may_fail, rows

log = get_logger(__name__)

ROLE: Final = "paws_tap"
_LONG_QUERY: Final = 20_000
"""Characters of a query that is compiled beside other requests."""
_END_DEADLINE: Final = 5.0
_GONE_AFTER: Final = "2s"
"""How often PostgreSQL looks whether we are still there while it works on a query."""

Load = Callable[[Connection, Backend], Awaitable[Sequence[Table]]]
"""Brings uploads into tables of the transaction, and describes them."""


@dataclass(frozen=True)
class Asker:
    """For whom a query runs.

    Attributes
    ----------
    account_id
        Their account; None without one.
    key
        For whom it counts: an account or an address.
    shares
        Digests of the share links they hold.
    """

    account_id: int | None
    sight: Sight
    key: str
    shares: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Running:
    """A query at work."""

    compiled: Compiled
    chunks: AsyncIterator[Sequence[Any]]


class QueryDesk:
    """Runs queries of one web process, on connections of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._catalogues = CatalogueDesk(settings)
        self._pool: Pool = None
        self._backend: Backend | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections; queries that run are given up."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def backend(self) -> Backend:
        """Which way of searching positions the database has."""
        await self._open()
        assert self._backend is not None
        return self._backend

    async def catalogue(self, asker: Asker) -> Catalogue:
        """Tables that somebody may ask."""
        pool = await self._open()
        async with pool.acquire() as connection:
            return await self._catalogues.catalogue(connection, asker.account_id, asker.sight)

    @asynccontextmanager
    async def running(
        self,
        query: str,
        limit: int,
        asker: Asker,
        *,
        base_url: str,
        seconds: float,
        label: str = "paws tap",
        load: Load | None = None,
    ) -> AsyncIterator[Running]:
        """Run a query. It ends with the block, however that ends.

        Parameters
        ----------
        limit
            Rows of the answer; one more is asked for, to tell whether it overflows. 0: columns alone.
        base_url
            Under which whoever asked reached us: addresses in rows begin so.
        seconds
            That it may take in the database.
        label
            ``application_name`` meanwhile.
        load
            Brings uploads into the transaction.

        Raises
        ------
        AdqlError, InvalidInputError, TimeoutError, asyncpg.PostgresError, and others of DATABASE_TROUBLES
            `web.vo.tap.troubles.explained` has words for them.
        """
        pool = await self._open()
        assert self._backend is not None
        allowance = Allowance(seconds)
        connection = await pool.acquire(timeout=seconds)
        transaction = None
        try:
            async with allowance.spending():
                transaction = await self._begin(
                    connection, base_url, seconds, label, writing=load is not None
                )
                catalogue = await self._catalogues.catalogue(connection, asker.account_id, asker.sight)
                if load is not None:
                    catalogue = catalogue.with_tables(await load(connection, self._backend))
                    await connection.execute(f"SET TRANSACTION READ ONLY; {SAVEPOINT}")
                compiled = await _compile(query, catalogue, self._backend, limit + 1)
            yield Running(
                compiled, self._rows(connection, query, catalogue, compiled, asker, allowance, limit)
            )
        finally:
            await _end(pool, connection, transaction)

    async def _rows(
        self,
        connection: Connection,
        query: str,
        catalogue: Catalogue,
        compiled: Compiled,
        asker: Asker,
        allowance: Allowance,
        limit: int,
    ) -> AsyncIterator[Sequence[Any]]:
        """Rows of a compiled query."""
        if not limit:
            return
        backend = await self.backend()

        async def walled() -> str:
            return (await _compile(query, Catalogue(behind_walls(catalogue)), backend, limit + 1)).sql

        limited = has_limits(compiled.sql)
        found = rows(
            connection,
            compiled.sql,
            values_of(asker.sight),
            allowance,
            limit,
            walled=walled if limited else None,
            whole=limited and limit >= FIRST and may_fail(query),
        )
        async for chunk in found:
            yield chunk

    async def _begin(
        self, connection: Connection, base_url: str, seconds: float, label: str, *, writing: bool
    ) -> Any:
        """Begin the transaction of a query: one way to the database and back where nothing is uploaded."""
        values = {
            "paws.base_url": base_url,
            "paws.vo_authority": self._settings.vo_authority,
            "application_name": label,
        }
        settings = "".join(f"; SET LOCAL {name} = {_literal(value)}" for name, value in values.items())
        settings = f"SET LOCAL statement_timeout = {int(seconds * 1000) + 1000}{settings}"
        if writing:
            # What loads tables has transactions of its own in it, which asyncpg must know of.
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(settings)
            return transaction
        await connection.execute(f"BEGIN READ ONLY; {settings}; {SAVEPOINT}")
        return None

    async def _open(self) -> Pool:
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._pool = await self._new_pool()
        return self._pool

    async def _new_pool(self) -> Pool:
        settings = self._settings
        probe = await asyncpg.connect(settings.require_database(), timeout=settings.database_deadline)
        try:
            self._backend = await backend_of(probe, settings)
        finally:
            await probe.close(timeout=_END_DEADLINE)
        return await asyncpg.create_pool(
            settings.require_database(),
            min_size=1,
            max_size=settings.tap_sync_at_once + settings.tap_async_at_once + 2,
            max_inactive_connection_lifetime=120,
            timeout=settings.database_deadline,
            init=self._init,
            reset=_leave_as_it_is,
            # Plans depend on positions and on who asks; and no query comes twice often enough to be kept.
            statement_cache_size=20,
            server_settings={
                "jit": "off",
                # A query has one core: starting helpers costs more than most take, and the reducer wants the others.
                "max_parallel_workers_per_gather": "0",
                "standard_conforming_strings": "on",
                "search_path": "public, pg_catalog",
                # Else the queries of a process that was killed go on beside those of its successor.
                "client_connection_check_interval": _GONE_AFTER,
                "idle_in_transaction_session_timeout": str(int(settings.tap_answer_timeout * 1000)),
            },
        )

    async def _init(self, connection: Connection) -> None:
        await prepare_connection(connection)
        size = f"{self._settings.tap_temporary_size}MB"
        try:
            await connection.execute(f"SET temp_file_limit = '{size}'")
        except asyncpg.InsufficientPrivilegeError:
            log.warning(
                "temporary files of queries have no limit: the database's user may not set temp_file_limit",
                advice=f"GRANT SET ON PARAMETER temp_file_limit, or set it to {size} in postgresql.conf",
            )
        # From here on nothing but what is published can be read, whatever a query became.
        await connection.execute(f"SET ROLE {ROLE}")


def _literal(text: str) -> str:
    """A text as SQL writes it, where parameters cannot stand."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


async def _leave_as_it_is(_connection: Connection) -> None:
    """Every transaction is ended by whoever began it, and nothing else is set on a connection."""


async def _compile(query: str, catalogue: Catalogue, backend: Backend, limit: int | None) -> Compiled:
    if len(query) < _LONG_QUERY:
        return compile_query(query, catalogue, backend, limit=limit)
    return await asyncio.to_thread(compile_query, query, catalogue, backend, limit=limit)


async def _end(pool: Pool, connection: Connection, transaction: Any) -> None:
    """End the transaction and give the connection back; one that does not answer is thrown away."""
    try:
        async with asyncio.timeout(_END_DEADLINE):
            await (connection.execute("ROLLBACK") if transaction is None else transaction.rollback())
    except (TimeoutError, *DATABASE_TROUBLES):
        connection.terminate()
    finally:
        with suppress(*DATABASE_TROUBLES):
            await pool.release(connection)
