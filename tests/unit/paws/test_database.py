from __future__ import annotations

import pytest

from paws.database import connect, migrate, open_pool
from paws.errors import ConfigurationError, PermanentError, ServiceUnavailableError
from paws.settings import load_settings


async def test_a_new_database_is_refused_until_it_is_migrated(database):
    connection = await connect(database)
    try:
        for name in await connection.fetch(
            "SELECT quote_ident(nspname) AS schema FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"
        ):
            await connection.execute(f"DROP SCHEMA {name['schema']} CASCADE")
        await connection.execute("CREATE SCHEMA public")
        with pytest.raises(ConfigurationError, match="paws migrate"):
            await connect(database)
        assert await migrate(connection)
        await (await connect(database)).close()
        assert await migrate(connection) == []
    finally:
        await connection.close()


async def test_a_changed_migration_is_refused(database):
    connection = await connect(database)
    try:
        await connection.execute("UPDATE migration SET checksum = 'other' WHERE name LIKE '0001%'")
        with pytest.raises(PermanentError, match="0001_spine"):
            await migrate(connection)
    finally:
        await connection.close()


async def test_json_travels_as_values(database):
    async with open_pool(database) as pool:
        assert await pool.fetchval("SELECT $1::jsonb", {"a": [1, None]}) == {"a": [1, None]}


async def test_an_absent_database_is_told_from_a_wrong_one(database_server, tmp_path):
    away = load_settings(database_url=f"postgresql://paws@/paws?host={tmp_path}")
    with pytest.raises(ServiceUnavailableError, match="PAWS_DATABASE_URL"):
        await connect(away)
    wrong = load_settings(database_url=database_server.url("nowhere"))
    with pytest.raises(ConfigurationError, match="PAWS_DATABASE_URL"):
        await connect(wrong)


@pytest.mark.parametrize(("plan_each", "mode"), [(False, "auto"), (True, "force_custom_plan")])
async def test_queries_are_planned_for_who_asks_where_that_is_wanted(database, plan_each, mode):
    async with open_pool(database, plan_each=plan_each) as pool:
        assert await pool.fetchval("SHOW plan_cache_mode") == mode
