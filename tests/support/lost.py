"""A database that is lost: an empty one in its place."""

from __future__ import annotations

from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from paws.database import connect, migrate
from paws.settings import Settings


async def lose(settings: Settings) -> Settings:
    """An empty database in place of the one that was."""
    url = settings.require_database()
    name = urlsplit(url).path.strip("/") + "_new"
    other = SecretStr(urlsplit(url)._replace(path=f"/{name}").geturl())
    admin = await asyncpg.connect(url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    lost = settings.model_copy(update={"database_url": other})
    connection = await connect(lost, migrated=False)
    await migrate(connection)
    await connection.close()
    return lost
