"""``paws up``: run everything in one go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import rich_click as click

from paws.commands.options import data_option


@click.command()
@click.option(
    "--raw",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Raw folder to watch; may be given more than once (PAWS_RAW_DIRS).",
)
@data_option
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the page; another if taken (PAWS_WEB_PORT)."
)
def up(raw: tuple[Path, ...], data: Path | None, port: int | None) -> None:
    """Watch raw folders and reduce what arrives: broker, database, worker, runner, ingest and web.

    Brings its own broker and database unless PAWS_BROKER_URL and PAWS_DATABASE_URL name others.
    Ctrl-C stops everything; a new start goes on where this one ended.
    """
    from paws.errors import ConfigurationError
    from paws.log import configure_logging
    from paws.settings import load_settings

    settings = load_settings(
        raw_dirs=tuple(path.absolute() for path in raw) or None, data_dir=data, web_port=port
    )
    if not settings.raw_dirs:
        raise ConfigurationError("No raw folder is named. Give one with --raw DIR, or set PAWS_RAW_DIRS.")
    settings = settings.model_copy(update={"data_dir": settings.data_dir.absolute()})
    configure_logging(settings.log_format, settings.log_level, process="up")
    asyncio.run(_run(settings))


async def _run(settings: object) -> None:
    from time import monotonic

    from rich.console import Console
    from rich.markup import escape

    from paws.embedded.events import EventKind, SupervisorEvent
    from paws.settings import Settings
    from paws.system import live_system

    assert isinstance(settings, Settings)
    console = Console(stderr=True)
    began = monotonic()

    def tell(event: SupervisorEvent) -> None:
        if event.kind is not EventKind.STARTED:
            console.print(f"[bold]{event.name}[/] {escape(event.message)}", highlight=False)

    async with live_system(settings, tell) as system:
        console.print(f"ready after {monotonic() - began:.1f} s: [bold]{system.web_url}[/]  (Ctrl-C stops)")
        await system.supervisor.wait()
        console.print("stopping")
