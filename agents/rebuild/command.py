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
@click.option("--without-marks", is_flag=True, help="Do without what people marked, when that is lost.")
@click.option(
    "--people",
    "people_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of accounts of `paws backup`; that in the data folder by default.",
)
@click.option(
    "--without-people",
    is_flag=True,
    help="Do without accounts, groups, links and orders, when they are lost.",
)
@click.option(
    "--tables",
    "tables_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of published tables of `paws backup`; that in the data folder by default.",
)
@click.option("--without-tables", is_flag=True, help="Leave published tables where the backup has them.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def rebuild(
    raw: tuple[Path, ...],
    marks_file: Path | None,
    without_marks: bool,
    people_file: Path | None,
    without_people: bool,
    tables_folder: Path | None,
    without_tables: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Make a lost database anew, from raw files and products.

    Needs an empty database, or one of which a part is there: what is there stays. Frames, plans, reductions,
    products, spectra and the observing log come back from the files. What people marked as junk, their accounts,
    groups, tokens, links, periods and orders, and the tables they published, come from the files of `paws backup`.
    Stop the worker, the runners and the web server before.
    """
    from agents.rebuild.main import RebuildReport, describe
    from agents.rebuild.main import rebuild as make_anew
    from agents.rebuild.marks import Marks, marks_path, read_marks
    from agents.rebuild.people import Restored, people_path, restore_people
    from agents.rebuild.save import tables_path
    from paws.database import connect, migrate, open_pool
    from paws.log import configure_logging
    from paws.running import running_settings
    from paws.vo.identity import set_identity
    from paws.vo.publish.restoring import RestoredTables, begin_restoring, restore_tables

    settings = running_settings(data, raw_dirs=tuple(path.absolute() for path in raw) or None)
    configure_logging(settings.log_format, "WARNING", "rebuild")
    kept_tables = tables_folder or tables_path(settings)
    marks = Marks() if without_marks else read_marks(marks_file or marks_path(settings))

    async def work() -> tuple[Restored, RestoredTables, RebuildReport]:
        people, tables = Restored(), RestoredTables()
        if not without_tables:
            await asyncio.to_thread(begin_restoring, kept_tables)
        connection = await connect(settings, migrated=False)
        try:
            await migrate(connection, settings.tap_geometry)
            await set_identity(connection, settings)
            if not without_people:
                # First: periods decide what is public, and parameters how frames are reduced.
                people = await restore_people(connection, people_file or people_path(settings))
        finally:
            await connection.close()
        if not without_tables:
            # After the people, whose they are.
            tables = await restore_tables(settings, kept_tables)
        async with open_pool(settings) as pool:
            report = await make_anew(pool, settings, marks, on_stage=lambda text: click.echo(text, err=True))
        return people, tables, report

    people, tables, report = asyncio.run(work())
    report.problems += tables.problems
    if people.in_the_way:
        report.problems.append(
            f"{people.in_the_way} row(s) of the backup of people were left out: others have their place."
        )
    if as_json:
        kept = {"restored": tables.restored, "left": tables.left}
        click.echo(json.dumps({**report.as_dict(), "people": people.rows, "tables": kept}))
        return
    for line in describe(report.problems):
        click.echo(line)
    click.echo(
        f"{report.frames} frames, {report.reductions} reductions, {report.spectra} spectra made anew in "
        f"{sum(report.seconds.values()):.1f} s; {report.marks} marks set, {people.rows.get('account', 0)} accounts "
        f"and {people.total} rows of people brought back, {len(tables.restored)} published tables, "
        f"{len(report.problems)} problems"
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write into; `backup` in the data folder by default.",
)
@data_option
def backup(out: Path | None, data: Path | None) -> None:
    """Save what no file can tell: accounts, groups, tokens, links, orders, the audit, marks, and published tables.

    Writes `marks.json`, `people.jsonl.gz`, and into `tables` a file for each version of a published table that has
    none yet. With the raw files and the data folder, they are all that `paws rebuild` needs. `paws tidy` writes them
    as well. Hashes of passwords and tokens are among them, and what few may see: only their owner may read the second
    file and those of tables.
    """
    from agents.rebuild.save import save_all
    from paws.database import connect
    from paws.running import running_settings

    settings = running_settings(data)

    async def save() -> int:
        connection = await connect(settings)
        try:
            saved = await save_all(connection, settings, out)
        finally:
            await connection.close()
        if saved.marks is None or saved.people is None:
            click.echo(f"The database is empty: the backup in {saved.folder} stays as it was.", err=True)
        click.echo(
            f"{saved.marks or 0} marks, {saved.messages or 0} messages and {saved.people or 0} rows of people saved "
            f"in {saved.folder}; {len(saved.tables.written)} published tables written, {saved.tables.kept} there already"
        )
        for problem in saved.tables.problems:
            click.echo(problem, err=True)
        return len(saved.tables.problems)

    if asyncio.run(save()):
        raise click.ClickException("The backup of published tables is not as it should be; see above.")
