"""Running a query over ``ssap.spectra``: as TAP would, with what the visitor may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from adql import compile_query
from adql.catalogue import Catalogue, Column, Table
from paws.access.predicate import values_of
from paws.access.rule import Sight
from paws.vo.declared.values import relation_for
from paws.vo.geometry import backend_of
from web.state import WebState
from web.vo.ssa.asking import TABLE

_CATALOGUE: Final = Catalogue(
    (
        Table(
            TABLE.name,
            TABLE.columns,
            relation_for(TABLE.relation, TABLE.sight),
            TABLE.positions,
            description=TABLE.description,
            kind=TABLE.kind,
        ),
    )
)


async def run(
    state: WebState, query: str, columns: Sequence[Column], sight: Sight, base: str
) -> Sequence[Any]:
    """Rows of a query of ours.

    Parameters
    ----------
    columns
        What the query selects, in its order.
    base
        Address of the installation, which addresses in rows begin with.
    """
    async with state.pool.acquire() as connection, connection.transaction(readonly=True):
        compiled = compile_query(query, _CATALOGUE, await backend_of(connection, state.settings))
        if len(compiled.columns) != len(columns):
            raise RuntimeError(f"expected {len(columns)} columns, got {len(compiled.columns)}")
        await connection.execute("SELECT set_config('paws.base_url', $1, true)", base)
        rows: Sequence[Any] = await connection.fetch(compiled.sql, *values_of(sight))
        return rows
