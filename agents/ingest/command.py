"""``paws ingest`` and ``paws backfill``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from paws.commands.options import data_option

if TYPE_CHECKING:
    from agents.ingest.backfill import BackfillReport
    from paws.settings import Settings


@click.command()
@click.option(
    "--raw",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Raw folder to watch; may be given more than once (PAWS_RAW_DIRS).",
)
@data_option
@click.option(
    "--mode",
    type=click.Choice(["auto", "events", "polling"]),
    help="How files are noticed; 'polling' is for network file systems (PAWS_INGEST_MODE).",
)
def ingest(raw: tuple[Path, ...], data: Path | None, mode: str | None) -> None:
    """Watch raw folders and announce frames.

    Every complete, valid raw frame is registered once; files that cannot be used are reported with the
    reason, left where they are, and looked at again when they change.
    """
    from paws.errors import ConfigurationError
    from paws.log import configure_logging
    from paws.running import running_settings

    settings = running_settings(
        data_dir=data, raw_dirs=tuple(path.absolute() for path in raw) or None, ingest_mode=mode
    )
    if not settings.raw_dirs:
        raise ConfigurationError("No raw folder is named. Give one with --raw DIR, or set PAWS_RAW_DIRS.")
    configure_logging(settings.log_format, settings.log_level, "ingest")
    asyncio.run(_ingest(settings))


async def _ingest(settings: Settings) -> None:
    from agents.ingest.main import run_ingest, until_signalled

    await until_signalled(run_ingest(settings))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_option
@click.option("--workers", type=click.IntRange(1, 64), help="Threads that read; one a processor by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def backfill(folder: Path, data: Path | None, workers: int | None, as_json: bool) -> None:
    """Index an archive of raw frames, so that they can be searched, used and requested.

    Reads every file once and registers valid frames without reducing them. May be interrupted and run again:
    what is registered is passed over.
    """
    from paws.log import configure_logging
    from paws.running import running_settings

    settings = running_settings(data_dir=data)
    configure_logging(settings.log_format, "WARNING", "backfill")
    report = asyncio.run(_backfill(settings, os.path.abspath(folder), workers, as_json))
    _print_report(report, as_json)


async def _backfill(settings: Settings, folder: str, workers: int | None, as_json: bool) -> BackfillReport:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from agents.ingest.backfill import run_backfill
    from paws.database import open_pool

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True, quiet=as_json)
    async with open_pool(settings) as pool:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("frames", total=None)
            return await run_backfill(
                folder,
                pool,
                settings.site_longitude,
                lambda done, total: progress.update(task, completed=done, total=total),
                workers,
            )


def _print_report(report: BackfillReport, as_json: bool) -> None:
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(
            json.dumps(
                asdict(report) | {"frames_per_second": round(report.frames_per_second, 1)}, sort_keys=True
            )
        )
        return
    for item in report.rejected:
        click.echo(f"rejected {item['path']} ({item['code']}): {item['reason']}")
    click.echo(
        f"{report.found} files: {report.registered} registered, {report.known} known, "
        f"{len(report.rejected)} rejected, {report.not_ours} dummy or glance exposures, "
        f"in {report.seconds:.1f} s ({report.frames_per_second:.0f} frames/s)"
    )
