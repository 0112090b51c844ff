"""A migrated database for each way of searching positions, shared by all tests that only ask."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import psycopg
import pytest

from adql.backend import Backend
from paws.errors import ConfigurationError
from paws.vo.geometry import index_positions, index_regions, prepare
from tests.support.postgres import TEMPLATE, DatabaseServer, run_sql


@dataclass(frozen=True)
class GeometryDatabase:
    """A database, made ready for a back end."""

    backend: Backend
    url: str
    connection: psycopg.Connection[tuple[Any, ...]]

    def rows(self, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query; its parameters are written %s."""
        return self.connection.execute(sql.encode(), values).fetchall()

    def value(self, sql: str, values: Sequence[Any] | None = None) -> Any:
        """The one value of a query."""
        ((value,),) = self.rows(sql, values)
        return value

    def execute(self, sql: str) -> None:
        """Run statements."""
        self.connection.execute(sql.encode())

    def index_positions(self, relation: str, ra: str = "ra", dec: str = "dec") -> None:
        """Make the position index that the back end uses."""

        async def make(connection: asyncpg.Connection) -> None:
            await index_positions(connection, self.backend, relation, ra, dec)

        asyncio.run(_with_connection(self.url, make))

    def index_regions(self, relation: str, column: str) -> None:
        """Make the index of a column of regions."""

        async def make(connection: asyncpg.Connection) -> None:
            await index_regions(connection, relation, column)

        asyncio.run(_with_connection(self.url, make))


@contextmanager
def made_ready(server: DatabaseServer, backend: Backend, label: str) -> Iterator[GeometryDatabase]:
    """A migrated database for a back end, dropped at the end; skips the test where pgSphere is not installed."""
    name = f"{backend}_{label}_{os.getpid()}"[:60]
    asyncio.run(run_sql(server, f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}'))
    try:
        url = server.url(name)
        try:
            asyncio.run(_with_connection(url, lambda connection: prepare(connection, backend)))
        except ConfigurationError as error:
            pytest.skip(str(error))
        with psycopg.connect(url, autocommit=True) as connection:
            yield GeometryDatabase(backend, url, connection)
    finally:
        asyncio.run(run_sql(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="session", params=["cube", "pgsphere"])
def geometry_backend(
    request: pytest.FixtureRequest, database_server: DatabaseServer
) -> Iterator[GeometryDatabase]:
    """A database for each back end, for tests that leave it as it was."""
    with made_ready(database_server, request.param, "plain") as found:
        yield found


async def _with_connection(url: str, work: Any) -> None:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        await work(connection)
    finally:
        await connection.close()
