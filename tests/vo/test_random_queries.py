"""Random queries are carried out, give values of the declared types, and the same ones with and without an index."""

from __future__ import annotations

import pytest

from adql import AdqlError, Compiled, compile_query
from tests.support.adql_random import RandomQueries
from tests.support.adql_sky import CATALOGUE
from tests.support.geometry import GeometryDatabase

QUERIES = 25
_INTEGERS = {21, 23, 20}
_TYPES = {
    "short": _INTEGERS,
    "int": _INTEGERS,
    "long": _INTEGERS,
    "float": {700},
    "double": {700, 701, *_INTEGERS},
    "char": {25, 1043},
    "unicodeChar": {25, 1043},
}
"""PostgreSQL's numbers of types that a VOTable datatype may come as."""
_ARRAY = 1022


@pytest.mark.parametrize("seed", range(3))
def test_random_queries(sky: GeometryDatabase, seed: int) -> None:
    queries = RandomQueries(seed)
    done = 0
    for _ in range(QUERIES):
        query = queries.query()
        compiled = _compiled(query, sky)
        if compiled is None:
            continue
        cursor = sky.connection.execute(compiled.sql.encode())
        rows = cursor.fetchall()
        described = cursor.description or []
        for column, found in zip(compiled.columns, described, strict=True):
            wanted = {_ARRAY} if column.arraysize and column.datatype == "double" else _TYPES[column.datatype]
            assert found.type_code in wanted, (query, column)
        sky.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
        try:
            assert len(sky.rows(compiled.sql)) == len(rows), query
        finally:
            sky.execute("RESET enable_indexscan; RESET enable_bitmapscan")
        done += 1
    assert done > QUERIES * 0.8


def _compiled(query: str, sky: GeometryDatabase) -> Compiled | None:
    """A query compiled; None for the one thing that these may be refused for, a constant where none may be."""
    try:
        return compile_query(query, CATALOGUE, sky.backend, limit=50)
    except AdqlError as error:
        if "constant" in str(error) or "radius" in str(error):
            return None
        raise
