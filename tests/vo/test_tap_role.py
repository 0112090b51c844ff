"""The role of queries, in databases whose user is no superuser."""

from __future__ import annotations

import asyncpg
import pytest

from paws.database import migrate, prepare_connection
from paws.errors import ConfigurationError
from tests.support.postgres import DatabaseServer, run_sql

USER, DATABASE = "paws_plain", "plain_migration"


async def test_an_administrator_is_told_what_only_they_can_do(database_server: DatabaseServer):
    # The role is there, as the cluster's other databases have it; the user is no member yet.
    await run_sql(database_server, f"CREATE ROLE {USER} LOGIN")
    await run_sql(database_server, f"CREATE DATABASE {DATABASE} OWNER {USER}")
    try:
        connection = await asyncpg.connect(database_server.url(DATABASE).replace("postgres@", f"{USER}@"))
        try:
            await prepare_connection(connection)
            with pytest.raises(ConfigurationError, match=f"GRANT paws_tap TO {USER}"):
                await migrate(connection, "cube")
            await run_sql(database_server, f"GRANT paws_tap TO {USER}")
            applied = await migrate(connection, "cube")
            assert applied[0] == "0009_tap_jobs.sql"
            assert await connection.fetchval("SELECT has_table_privilege('paws_tap', 'vo.obscore', 'SELECT')")
            assert not await connection.fetchval(
                "SELECT has_table_privilege('paws_tap', 'product', 'SELECT')"
            )
        finally:
            await connection.close()
    finally:
        await run_sql(database_server, f"DROP DATABASE {DATABASE} WITH (FORCE)")
        await run_sql(database_server, f"DROP ROLE {USER}")
