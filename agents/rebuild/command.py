"""The commands ``paws rebuild`` and ``paws backup``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import rich_click as click

from paws.commands.options import data_option


@click.command()
@click.option(
    "--raw",
    "raw",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Raw folder; may be given more than once (PAWS_RAW_DIRS).",
)
@click.option(
    "--marks",
    "marks_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of `paws backup`; that in the data folder by default.",
)
@click.option("--without-marks", is_flag=True, help="Do without what people did, when that is lost.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def rebuild(
    raw: tuple[Path, ...], marks_file: Path | None, without_marks: bool, data: Path | None, as_json: bool
) -> None:
    """Make a lost database anew, from raw files and products.

    Needs an empty database, or one of which a part is there: what is there stays. Frames, plans, reductions,
    products, spectra and the observing log come back; what people marked as junk comes from the file of
    `paws backup`. Stop the worker and the runners before.
    """
    from agents.rebuild.main import RebuildReport, describe
    from agents.rebuild.main import rebuild as make_anew
    from agents.rebuild.marks import Marks, marks_path, read_marks
    from paws.database import connect, migrate, open_pool
    from paws.log import configure_logging
    from paws.running import running_settings

    settings = running_settings(data, raw_dirs=tuple(path.absolute() for path in raw) or None)
    configure_logging(settings.log_format, "WARNING", "rebuild")
    marks = Marks() if without_marks else read_marks(marks_file or marks_path(settings))

    async def work() -> RebuildReport:
        connection = await connect(settings, migrated=False)
        try:
            await migrate(connection)
        finally:
            await connection.close()
        async with open_pool(settings) as pool:
            return await make_anew(pool, settings, marks, on_stage=lambda text: click.echo(text, err=True))

    report = asyncio.run(work())
    if as_json:
        click.echo(json.dumps(report.as_dict()))
        return
    for line in describe(report.problems):
        click.echo(line)
    click.echo(
        f"{report.frames} frames, {report.reductions} reductions, {report.spectra} spectra made anew in "
        f"{sum(report.seconds.values()):.1f} s; {report.marks} marks set, {len(report.problems)} problems"
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; that in the data folder by default.",
)
@data_option
def backup(out: Path | None, data: Path | None) -> None:
    """Save what no file can tell: what people marked, and what they were told.

    With the raw files and the data folder, it is all that `paws rebuild` needs. `paws tidy` does it as well.
    """
    from agents.rebuild.marks import gather_marks, marks_path, write_marks
    from paws.database import connect
    from paws.running import running_settings

    settings = running_settings(data)
    path = (out or marks_path(settings)).absolute()

    async def gather() -> None:
        connection = await connect(settings)
        try:
            marks = await gather_marks(connection)
        finally:
            await connection.close()
        await asyncio.to_thread(write_marks, path, marks)
        click.echo(f"{len(marks.marks)} marks and {len(marks.told)} messages in {path}")

    asyncio.run(gather())
