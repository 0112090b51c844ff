"""ADQL 2.1, the query language of the Virtual Observatory: from text to PostgreSQL. A library without I/O."""

from __future__ import annotations

from adql.backend import Backend
from adql.catalogue import Catalogue
from adql.compiled import Compiled, OutputColumn
from adql.errors import AdqlError
from adql.expansion import check_expansion
from adql.parser import parse
from adql.postgres import generate
from adql.resolve import resolve

__all__ = ["AdqlError", "Backend", "Compiled", "OutputColumn", "compile_query", "parse"]


def compile_query(text: str, catalogue: Catalogue, backend: Backend, *, limit: int | None = None) -> Compiled:
    """Make SQL of a query.

    Parameters
    ----------
    text
        The query in ADQL, as its author wrote it.
    catalogue
        The tables that they may ask.
    backend
        How the database searches positions: `paws.vo.geometry.backend_of`.
    limit
        Most rows that are wanted, if the query's own TOP asks for no fewer: one more than MAXREC, to tell whether
        there are more.

    Raises
    ------
    AdqlError
        If the query cannot be run, with the place in it and the likely fix.
    """
    try:
        query = resolve(parse(text), catalogue)
        check_expansion(query, len(text))
        sql = generate(query, backend, limit)
    except AdqlError as error:
        raise error.located(text) from None
    columns = tuple(
        OutputColumn(
            output.name,
            output.meta.datatype,
            output.meta.arraysize,
            output.meta.xtype,
            output.meta.unit,
            output.meta.ucd,
            output.meta.utype,
            output.meta.description,
        )
        for output in query.expression.outputs
    )
    return Compiled(sql, columns, tuple(table.name for table in query.tables), query.warnings)
