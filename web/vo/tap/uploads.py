"""Tables that come with a query: kept with its job, fetched, and brought into the query's own transaction."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Final

from adql import Backend
from adql.catalogue import Column, Position, Table
from paws.database import Connection
from paws.errors import InvalidInputError
from paws.requests.webhooks import read_networks
from paws.settings import Settings
from paws.vo.geometry import index_positions
from paws.vo.jobs import spool_folder
from paws.vo.names import column_names, quoted
from paws.vo.publish.positions import choose_positions
from paws.vo.reading import open_table
from paws.vo.reading.limits import Limits, TableTooLargeError
from paws.vo.reading.source import TableSource
from web.vo.problems import BadRequestError, ServiceError
from web.vo.tap.asking import UploadAsk
from web.vo.tap.executor import Load
from web.vo.tap.fetching import fetch

SCHEMA: Final = "TAP_UPLOAD"
_MB: Final = 1_000_000
_UNPACKED: Final = 5
"""What an upload may unpack to, as a multiple of what may be sent."""
_INDEXED: Final = 200
"""Rows from which on a position index is worth making."""


def part_file(folder: Path, name: str) -> Path:
    """File of a form's part that a job keeps: named by what the part is called, which may be anything."""
    return folder / f"upload-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def keep_parts(folder: Path, files: dict[str, Path]) -> None:
    """Keep the files of a form with a job. They are the form's no more."""
    for name, path in list(files.items()):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(path, part_file(folder, name))
        del files[name]


def kept_parts(folder: Path, parameters: Sequence[tuple[str, str]]) -> dict[str, Path]:
    """Files that a job keeps, by the names that its parameters call them."""
    found = {}
    for name, value in parameters:
        if name != "UPLOAD":
            continue
        for pair in value.split(";"):
            _table, _comma, address = pair.strip().partition(",")
            part = address.strip().partition(":")[2]
            path = part_file(folder, part)
            if path.is_file():
                found[part] = path
    return found


@dataclass(frozen=True)
class _Arrived:
    """A table that is there."""

    name: str
    source: TableSource


@asynccontextmanager
async def uploaded(
    asked: Sequence[UploadAsk], files: Mapping[str, Path], settings: Settings
) -> AsyncIterator[Load | None]:
    """What brings uploads into a query's transaction; None when there are none.

    Parameters
    ----------
    files
        Parts of the form, by name.

    Raises
    ------
    ServiceError
        If one is missing, cannot be fetched or read, or is too large.
    """
    if not asked:
        yield None
        return
    spool = spool_folder(settings)
    spool.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=spool, prefix="upload-"))
    arrived: list[_Arrived] = []
    try:
        left = settings.tap_upload_size * _MB
        for number, one in enumerate(asked):
            path, media_type = await _bring(one, files, folder / str(number), left, settings)
            left -= path.stat().st_size
            arrived.append(_Arrived(one.name, await _open(one.name, path, media_type, settings)))

        async def load(connection: Connection, backend: Backend) -> Sequence[Table]:
            return [await _load(connection, backend, number, one) for number, one in enumerate(arrived)]

        yield load
    except TableTooLargeError as error:
        raise ServiceError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"UPLOAD: {error.message}") from error
    finally:
        for one_arrived in arrived:
            one_arrived.source.close()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _bring(
    one: UploadAsk, files: Mapping[str, Path], path: Path, largest: int, settings: Settings
) -> tuple[Path, str]:
    """File of an upload, and its media type if somebody told."""
    if not one.address:
        found = files.get(one.part)
        if found is None:
            parts = ", ".join(sorted(files)) or "none"
            raise BadRequestError(
                f"UPLOAD {one.name}: the form has no part {one.part[:60]!r}; its parts with files: {parts[:200]}."
            )
        return found, ""
    media_type = await fetch(
        one.address,
        path,
        largest=largest,
        deadline=settings.tap_upload_deadline,
        allowed=read_networks(settings.tap_upload_networks),
    )
    return path, media_type


async def _open(name: str, path: Path, media_type: str, settings: Settings) -> TableSource:
    limits = Limits(
        file_bytes=settings.tap_upload_size * _MB,
        unpacked_bytes=settings.tap_upload_size * _MB * _UNPACKED,
        rows=settings.tap_upload_rows,
    )
    try:
        return await asyncio.to_thread(open_table, path, media_type, limits)
    except TableTooLargeError:
        raise
    except InvalidInputError as error:
        raise BadRequestError(f"UPLOAD {name}: {error.message}") from error


async def _load(connection: Connection, backend: Backend, number: int, one: _Arrived) -> Table:
    """Make a temporary table of an upload. It goes with the transaction."""
    source = one.source
    stored = f"upload_{number}"
    names, _changed = column_names([column.name for column in source.columns])
    columns = ", ".join(
        f"{quoted(name.stored)} {kind}" for name, kind in zip(names, source.postgres_types, strict=True)
    )
    await connection.execute(f"CREATE TEMPORARY TABLE {stored} ({columns}) ON COMMIT DROP")
    try:
        told = await connection.copy_to_table(stored, source=source.copy_stream(), format="binary")
    except TableTooLargeError:
        raise
    except InvalidInputError as error:
        raise BadRequestError(f"UPLOAD {one.name}: {error.message}") from error
    rows = int(str(told).rpartition(" ")[2])
    relation = f"pg_temp.{stored}"
    positions: tuple[Position, ...] = ()
    chosen = choose_positions(source.columns)
    if chosen.ra and chosen.dec and (chosen.ra_unit, chosen.dec_unit) == ("deg", "deg") and rows >= _INDEXED:
        await index_positions(connection, backend, relation, chosen.ra, chosen.dec)
        positions = (Position(chosen.ra, chosen.dec),)
    # Without figures of it the planner takes it for tiny, and goes through it again and again.
    await connection.execute(f"ANALYZE {relation}")
    indexed = {chosen.ra, chosen.dec} if positions else set()
    return Table(
        name=f"{SCHEMA}.{one.name}",
        columns=tuple(
            _published(column, name.stored, column.name in indexed)
            for column, name in zip(source.columns, names, strict=True)
        ),
        relation=relation,
        positions=positions,
        rows=rows,
        description=source.description,
    )


def _published(column: Column, stored: str, indexed: bool) -> Column:
    # VOTable 1.3, erratum 3: one element is told by saying nothing.
    arraysize = None if column.arraysize == "1" else column.arraysize
    # PostgreSQL has columns of its own in every table, whose names cannot be used again.
    sql = None if stored == column.name else quoted(stored)
    return replace(column, indexed=indexed, arraysize=arraysize, sql=sql)
