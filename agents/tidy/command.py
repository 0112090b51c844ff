"""``paws tidy``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import rich_click as click

from paws.commands.options import data_option


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@click.option(
    "--versions",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Days that superseded products are kept; 0 keeps them for ever (PAWS_TIDY_VERSIONS).",
)
@click.option(
    "--logs",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Days that logs which nothing names are kept; 0 keeps them for ever (PAWS_TIDY_LOGS).",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    metavar="HOURS",
    help="Do it again and again, so many hours apart, until stopped: where there is no timer.",
)
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def tidy(
    dry_run: bool,
    versions: float | None,
    logs: float | None,
    every: float | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Remove what is kept no longer, and save what no file can tell, as `paws backup` does.

    Removes superseded products after PAWS_TIDY_VERSIONS days, logs that nothing names, jobs of queries whose time is
    over, and what killed processes left. Never removes a current product, nor any product that one was made with. May run beside a live system;
    run it every day (infra/systemd has a timer; infra/compose.yaml a service).
    """
    from agents.tidy.main import repeatedly
    from agents.tidy.main import tidy as tidy_up
    from paws.database import open_pool
    from paws.log import configure_logging
    from paws.running import mark_ready, running_settings

    settings = running_settings(data, tidy_versions=versions, tidy_logs=logs)
    configure_logging(settings.log_format, "WARNING", "tidy")

    async def work() -> None:
        async with open_pool(settings) as pool:
            report = await tidy_up(pool, settings, dry_run=dry_run)
        if as_json:
            click.echo(json.dumps(report.as_dict()))
            return
        for name in (
            *report.versions,
            *report.work_folders,
            *report.unregistered,
            *report.torn,
            *report.logs,
            *report.jobs,
        ):
            click.echo(name)
        verb = "would be removed" if dry_run else "removed"
        click.echo(
            f"{verb}: {len(report.versions)} superseded versions, {len(report.work_folders)} work folders, "
            f"{len(report.unregistered)} unregistered folders, {len(report.torn)} half-written files, "
            f"{len(report.logs)} logs, {len(report.jobs)} jobs of queries; {report.bytes / 1e9:.2f} GB"
        )

    async def again() -> None:
        await work()
        await asyncio.to_thread(mark_ready, settings, "tidy")

    asyncio.run(work() if every is None else repeatedly(again, every * 3600.0))
