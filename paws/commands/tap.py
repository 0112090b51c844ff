"""``paws tap``: tables of the Virtual Observatory's query service, from the command line of the machine."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from paws.commands.options import data_option

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paws.database import Connection
    from paws.settings import Settings
    from paws.vo.publish.wish import Wish


@click.group()
def tap() -> None:
    """Tables that can be queried (TAP): publish files as tables, list them, drop them."""


def _run(settings: Settings, work: Callable[[Connection], Awaitable[Any]]) -> Any:
    from paws.database import connect

    async def run() -> Any:
        connection = await connect(settings)
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@tap.command()
@click.argument("source")
@click.option(
    "--table", "name", required=True, help="Name: schema.table; of a personal table its last part will do."
)
@click.option(
    "--metadata",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="CSV or JSON that describes table and columns; comes over what the file says. May be given again.",
)
@click.option("--description", default="", help="What the table holds.")
@click.option(
    "--format", "kind", default="", help="votable, fits, csv, tsv or parquet, where the name does not tell."
)
@click.option("--replace", is_flag=True, help="Take the place of the table of this name.")
@click.option(
    "--public", is_flag=True, help="Everybody sees it. The usual; a table that is replaced stays as it is."
)
@click.option("--proposal", default="", help="Members of this proposal see it.")
@click.option("--owner", default="", help="A personal table of this account, which nobody else sees.")
@click.option("--quiet", is_flag=True, help="No progress.")
@data_option
def publish(
    source: str,
    name: str,
    metadata: tuple[Path, ...],
    description: str,
    kind: str,
    replace: bool,
    public: bool,
    proposal: str,
    owner: str,
    quiet: bool,
    data: Path | None,
) -> None:
    """Publish a file, or the file of an address, as a table.

    SOURCE is a VOTable, FITS table, CSV or Parquet. Types, units, UCDs, utypes and descriptions are kept; positions
    are found by UCD or name, and indexed. The table is there as a whole or not at all; queries under way go on.
    """
    from paws.commands.tap_progress import Bar
    from paws.log import configure_logging
    from paws.running import running_settings
    from paws.vo.publish.errors import PublishError
    from paws.vo.publish.fetch import fetch, is_address
    from paws.vo.publish.load import MEGABYTE
    from paws.vo.publish.run import publish_file

    if public + bool(proposal) + bool(owner) > 1:
        raise PublishError(
            "A table is for everybody (--public), a proposal (--proposal) or one person (--owner)."
        )
    settings = running_settings(data)
    configure_logging(settings.log_format, "WARNING", "tap")
    wish = _wish(settings, name, source, description, replace, (public, proposal, owner))
    with ExitStack() as stack:
        bar = stack.enter_context(Bar(str(wish.name), quiet))
        if is_address(source):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paws-publish-")))
            fetched = fetch(source, folder, settings.tap_publish_size * MEGABYTE, bar.bytes)
            path, kind = fetched.path, kind or fetched.kind
        else:
            path = Path(source)
            if not path.is_file():
                raise PublishError(f"There is no file {source}.")
        published = asyncio.run(publish_file(settings, wish, path, kind, metadata, bar.step))
    for warning in published.warnings:
        click.echo(f"note: {warning}", err=True)
    where = ", ".join(f"{position.ra} and {position.dec}" for position in published.positions)
    click.echo(
        f"{published.name}: {published.rows:,} rows, {len(published.columns)} columns, "
        + (f"positions {where} indexed, " if where else "no positions, ")
        + f"seen by {published.audience.words}"
    )


def _wish(
    settings: Settings,
    name: str,
    source: str,
    description: str,
    replace: bool,
    audience: tuple[bool, str, str],
) -> Wish:
    """What is wanted. The audience is what the options --public, --proposal and --owner say."""
    from paws.accounts.audit import COMMAND_LINE
    from paws.accounts.groups import check_proposal
    from paws.vo.audience import EVERYBODY, Audience
    from paws.vo.publish.shelf import any_table, schema_of
    from paws.vo.publish.wish import Wish, check_description, name_for

    public, proposal, owner = audience

    async def look(connection: Connection) -> Wish:
        from paws.commands.people import account_of

        schema, seen_by = None, EVERYBODY
        if owner:
            account = await account_of(connection, owner)
            schema = await schema_of(connection, account.account_id, account.name)
            seen_by = Audience(account=account.account_id)
        elif proposal:
            seen_by = Audience(proposal=check_proposal(proposal))
        full = name_for(name, schema)
        there = await any_table(connection, str(full)) if replace else None
        if there is not None and not (public or proposal or owner):
            # Nobody makes a table public by giving it new rows.
            seen_by = there.audience
        return Wish(full, source, COMMAND_LINE, seen_by, check_description(description), replace)

    wish: Wish = _run(settings, look)
    return wish


@tap.command()
@click.argument("name")
@data_option
def drop(name: str, data: Path | None) -> None:
    """Take a published table away. Queries under way go on; its rows go a while later."""
    from paws.accounts.audit import COMMAND_LINE
    from paws.running import running_settings
    from paws.vo.names import table_name
    from paws.vo.publish import shelf
    from paws.vo.publish.errors import PublishError

    full = str(table_name(name))
    if not _run(running_settings(data), lambda connection: shelf.drop(connection, COMMAND_LINE, full)):
        raise PublishError(f"There is no published table {full}; `paws tap list` names them.")
    click.echo(f"{full} is gone")


@tap.command("list")
@data_option
def list_tables(data: Path | None) -> None:
    """List published tables: rows, size, who sees them, who published them."""
    from paws.running import running_settings
    from paws.vo.publish import shelf

    tables = _run(running_settings(data), shelf.all_published)
    for table in tables:
        click.echo(
            f"{table.name:<40} {table.rows or 0:>12,} rows {(table.size_bytes or 0) / 1e6:>9.1f} MB  "
            f"{table.audience.words:<24} {table.published_by}"
        )
    if not tables:
        click.echo("no table is published; `paws tap publish FILE --table schema.name` publishes one")


@tap.command()
@click.argument("name")
@data_option
def describe(name: str, data: Path | None) -> None:
    """Describe a table: its columns with units and UCDs, and what was doubtful when it was published."""
    from paws.running import running_settings
    from paws.vo.publish import shelf
    from paws.vo.publish.errors import PublishError

    async def look(connection: Connection) -> Any:
        table = await shelf.any_table(connection, name)
        return table, [] if table is None else await shelf.columns_of(connection, table.name)

    table, columns = _run(running_settings(data), look)
    if table is None:
        raise PublishError(f"There is no table {name[:100]}; `paws tap list` names the published ones.")
    click.echo(
        f"{table.name}: {table.rows if table.rows is not None else '?'} rows, seen by {table.audience.words}"
    )
    if table.published_by:
        click.echo(
            f"published by {table.published_by} at {table.published_at:%Y-%m-%d %H:%M} UT from {table.source}"
        )
    if table.description:
        click.echo(table.description)
    width = max(len(column["column_name"]) for column in columns)
    for column in columns:
        kind = column["datatype"] + (f"[{column['arraysize']}]" if column["arraysize"] else "")
        marks = " indexed" if column["indexed"] else ""
        click.echo(
            f"  {column['column_name']:<{width}}  {kind:<14} {column['unit']:<12} {column['ucd']:<28}"
            f" {column['description'].splitlines()[0][:90] if column['description'] else ''}{marks}".rstrip()
        )
    for warning in table.warnings:
        click.echo(f"note: {warning}")


@tap.command()
@data_option
def work(data: Path | None) -> None:
    """Publish uploaded tables that wait, then end. The web server starts this by itself."""
    from paws.log import configure_logging
    from paws.running import running_settings
    from paws.vo.publish.work import work_off

    settings = running_settings(data)
    configure_logging(settings.log_format, settings.log_level, "publisher")
    click.echo(f"{asyncio.run(work_off(settings))} uploads dealt with")
