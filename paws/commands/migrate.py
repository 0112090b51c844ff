"""``paws migrate``: bring a database to the newest schema."""

from __future__ import annotations

import asyncio

import rich_click as click


@click.command()
def migrate() -> None:
    """Bring the database of PAWS_DATABASE_URL to the newest schema. Safe to run again."""
    from paws.database import connect
    from paws.database import migrate as bring
    from paws.settings import load_settings

    async def run() -> list[str]:
        settings = load_settings()
        connection = await connect(settings, migrated=False)
        try:
            return await bring(connection, settings.tap_geometry)
        finally:
            await connection.close()

    applied = asyncio.run(run())
    click.echo(f"applied: {', '.join(applied)}" if applied else "nothing to do: the schema is the newest")
