"""``paws reduce``: a whole night without broker or database."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.progress import Progress

    from agents.offline.main import Request
    from agents.offline.summary import NightSummary
    from paws.settings import Settings


@click.command()
@click.argument("night_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the products.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Reductions at once; one a processor by default.",
)
@click.option(
    "--keep-intermediate", is_flag=True, help="Also lay image and extracted frames (im, ex) beside products."
)
@click.option(
    "--engine",
    metavar="NAME",
    help="What reduces frames: builtin, local or one of PAWS_ENGINES (PAWS_ENGINE).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def reduce(
    night_dir: Path, out: Path, jobs: int | None, keep_intermediate: bool, engine: str | None, as_json: bool
) -> None:
    """Reduce a whole night, without a running system.

    Takes every raw frame below NIGHT_DIR, chooses calibrations as the live system does, and lays products
    out as it does. May be interrupted and run again: what is done is not done again. Ends with status 0 when
    no frame failed or is left waiting for calibrations.
    """
    from agents.offline.main import KEEPING, Request
    from paws.log import configure_logging
    from paws.settings import load_settings

    jobs = jobs or len(os.sched_getaffinity(0))
    request = Request(night_dir.absolute(), out.absolute(), jobs, keep_intermediate)
    settings = load_settings(data_dir=request.out / KEEPING, engine=engine, runner_slots=jobs)
    configure_logging(settings.log_format, "WARNING", "reduce")
    try:
        summary = asyncio.run(_reduce(request, settings, quiet=as_json))
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on where it ended.", err=True)
        raise SystemExit(130) from None
    if as_json:
        click.echo(json.dumps(summary.as_dict()))
    else:
        for line in summary.lines():
            click.echo(line)
    raise SystemExit(summary.exit_status)


async def _reduce(request: Request, settings: Settings, *, quiet: bool) -> NightSummary:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from agents.offline.main import reduce_night

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as progress:
        return await reduce_night(request, settings, _Bars(progress))


class _Bars:
    """Progress bars; that of the reductions grows with the plan."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._frames = progress.add_task("reading frames", total=None)
        self._reductions = progress.add_task("reducing", total=None, start=False)

    def scanned(self, done: int, total: int) -> None:
        """Show how many files were read."""
        self._progress.update(self._frames, completed=done, total=total)

    def reduced(self, done: int, total: int) -> None:
        """Show how many reductions are done."""
        self._progress.start_task(self._reductions)
        self._progress.update(self._reductions, completed=done, total=total)
