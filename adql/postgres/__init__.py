"""From the typed tree to PostgreSQL (15 to 18).

Geometric values are ``double precision[]`` in DALI's order, degrees, ICRS: a point has 2 numbers, a circle 3, a
polygon 2n. What stands for ADQL's functions on them are the ``adql_`` functions of ``0007_geometry.sql``.

Values outside a function's domain - the logarithm of a negative number, a division by zero, a text that is no number
in CAST - give NULL: an error would end a long stream of rows half way.
"""

from __future__ import annotations

from adql.backend import Backend
from adql.postgres.queries import whole
from adql.postgres.writer import Writer
from adql.typed import Query


def generate(query: Query, backend: Backend, limit: int | None = None) -> str:
    """SQL of a query: one SELECT whose columns are named as its outputs.

    Parameters
    ----------
    limit
        Most rows that are wanted, if the query's own TOP asks for no fewer.

    Raises
    ------
    AdqlError
        For constants that PostgreSQL cannot hold, and regions that are not understood.
    """
    return whole(Writer(backend), query, limit)
