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
    from paws.vo.identity import set_identity

    async def run() -> list[str]:
        settings = load_settings()
        connection = await connect(settings, migrated=False)
        try:
            applied = await bring(connection, settings.tap_geometry)
            if await set_identity(connection, settings):
                applied.append("the names of the observatory (PAWS_VO_*)")
            return applied
        finally:
            await connection.close()

    applied = asyncio.run(run())
    click.echo(f"applied: {', '.join(applied)}" if applied else "nothing to do: the schema is the newest")
