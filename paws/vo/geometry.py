"""Which way of searching positions a database has, and the indexes of positions and regions.

The back end ``pgsphere`` needs the extension pg_sphere, which only a superuser may bring into a database. The back
end ``cube`` needs nothing but what PostgreSQL comes with: positions are indexed as built-in points, and regions, in
both back ends, as cubes of unit vectors. Both answer alike (see docs/explanation/positions.md).
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final, Literal

import asyncpg

from adql.backend import Backend
from paws.database import Connection
from paws.errors import ConfigurationError
from paws.log import get_logger
from paws.settings import Settings
from paws.vo.names import quoted

Wanted = Literal["auto", "pgsphere", "cube"]

log = get_logger(__name__)

_PLACES: Final[dict[Backend, str]] = {"pgsphere": "adql_spoint", "cube": "adql_place"}
_PLACE: Final = re.compile(r"(?:public\.)?adql_(?:spoint|place)\((.*)\)", re.DOTALL)
_INDEX_DEADLINE: Final = 3600.0
_HAS_FUNCTIONS: Final = "SELECT to_regprocedure('adql_spoint(float8, float8)') IS NOT NULL"


async def backend_of(connection: Connection, settings: Settings) -> Backend:
    """Back end of a database, as `prepare` left it.

    Raises
    ------
    ConfigurationError
        If PAWS_TAP_GEOMETRY asks for pgSphere, and the database has it not.
    """
    if settings.tap_geometry == "cube":
        return "cube"
    if await connection.fetchval(_HAS_FUNCTIONS):
        return "pgsphere"
    if settings.tap_geometry == "pgsphere":
        raise ConfigurationError(
            "PAWS_TAP_GEOMETRY is pgsphere, and the database has not been made ready for it. Run `paws migrate`."
        )
    return "cube"


async def prepare(connection: Connection, wanted: Wanted = "auto") -> Backend:
    """Make a database ready for a back end: its extension, its functions, its indexes. Idempotent.

    Indexes that were made for the other back end get a counterpart, and stay: processes of the version before may
    still ask with them.

    Parameters
    ----------
    connection
        With the right to make functions. Extensions need a superuser, or an extension that is there.
    wanted
        ``auto`` takes pgSphere where the extension is, or can be made.

    Raises
    ------
    ConfigurationError
        If pgSphere is wanted and cannot be had.
    """
    backend: Backend = "cube" if wanted == "cube" else await _prepare_pgsphere(connection, wanted)
    await _complete_indexes(connection, backend)
    return backend


async def _prepare_pgsphere(connection: Connection, wanted: Wanted) -> Backend:
    try:
        async with connection.transaction():
            if not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_sphere')"
            ):
                await connection.execute("CREATE EXTENSION pg_sphere")
            if not await connection.fetchval(_HAS_FUNCTIONS):
                await connection.execute((resources.files("paws.vo") / "pgsphere.sql").read_text())
        return "pgsphere"
    except (
        asyncpg.FeatureNotSupportedError,
        asyncpg.UndefinedFileError,
        asyncpg.InsufficientPrivilegeError,
    ) as error:
        if wanted == "pgsphere":
            raise ConfigurationError(
                f"PAWS_TAP_GEOMETRY is pgsphere, but the database says: {error.args[0]}. Install pgSphere beside the database "
                "(Debian: postgresql-NN-pgsphere) and have a superuser run CREATE EXTENSION pg_sphere in it, "
                "or set PAWS_TAP_GEOMETRY=auto."
            ) from error
        return "cube"


async def index_positions(connection: Connection, backend: Backend, relation: str, ra: str, dec: str) -> None:
    """Make the position index of a table, unless it has it. Best called after the rows are in.

    Parameters
    ----------
    relation
        Name of the table as SQL has it, quoted where it must be.
    ra, dec
        Names of its columns of numbers in degrees, without quotes.
    """
    await _index(connection, relation, f"{_PLACES[backend]}({quoted(ra)}, {quoted(dec)})")


async def index_regions(connection: Connection, relation: str, column: str) -> None:
    """Make the index of a column of regions (``double precision[]``, see `adql.postgres`), unless it is there.

    Queries use it where the column's `adql.catalogue.Column.indexed` is set.
    """
    await _index(connection, relation, f"adql_bounds({quoted(column)})")


async def _index(connection: Connection, relation: str, expression: str) -> None:
    """Make an index of an expression, unless there is one."""
    async with connection.transaction():
        # Two that publish at once must not both make it.
        await connection.execute("SELECT pg_advisory_xact_lock($1::text::regclass::oid::bigint)", relation)
        rows = await connection.fetch(
            "SELECT pg_get_expr(i.indexprs, i.indrelid) AS expression FROM pg_index i"
            " WHERE indrelid = $1::text::regclass AND indexprs IS NOT NULL AND indpred IS NULL AND indisvalid",
            relation,
        )
        if _bare(expression) in {_bare(row["expression"]) for row in rows}:
            return
        await connection.execute(
            f"CREATE INDEX ON {relation} USING gist ({expression})", timeout=_INDEX_DEADLINE
        )
        log.info("index made", relation=relation, expression=expression)


def _bare(expression: str) -> str:
    """An expression without what the database adds when it writes it: schemas, casts, quotes, parentheses."""
    return re.sub(r'public\.|::double precision|["() ]', "", expression)


async def _complete_indexes(connection: Connection, backend: Backend) -> None:
    """Give every position index of the other back end a counterpart."""
    rows = await connection.fetch(
        "SELECT i.indrelid::regclass::text AS relation, pg_get_expr(i.indexprs, i.indrelid) AS expression"
        " FROM pg_index i WHERE i.indexprs IS NOT NULL"
        " AND pg_get_expr(i.indexprs, i.indrelid) ~ '^(public\\.)?adql_(spoint|place)\\('",
    )
    for row in rows:
        found = _PLACE.fullmatch(row["expression"])
        if found is not None:
            await _index(connection, row["relation"], f"{_PLACES[backend]}({found[1]})")
