"""Rows through PostgreSQL's binary COPY and back: every type, every NULL, as the server itself reads them."""

from __future__ import annotations

import math
from datetime import datetime

import asyncpg
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adql.catalogue import Column
from paws.vo.names import quoted
from paws.vo.reading.copying import HEADER, TRAILER, encode
from paws.vo.reading.limits import Limits, TableTooLargeError
from paws.vo.reading.types import arrow_type, fitted, postgres_type

COLUMNS = (
    Column("truth", "boolean"),
    Column("small", "short"),
    Column("whole", "int"),
    Column("big", "long"),
    Column("text", "char", "*"),
    Column("single", "float"),
    Column("double", "double"),
    Column("when", "char", "*", "timestamp"),
    Column("shape", "double", "*", "polygon"),
    Column("flags", "short", "*"),
    Column("letters", "unicodeChar", "*"),
    Column("truths", "boolean", "*"),
)
ROWS = [
    (True, -(2**15), 2**31 - 1, -(2**63), "", 0.1, -math.inf, datetime(1858, 11, 17), [1.0, 2.0], [1, -2], "日\U0001f600", [True]),
    (None,) * 12,
    (False, 0, 0, 0, "a\tb\nc\\N", 1.5, 5e-324, datetime(2026, 11, 22, 17, 50, 1, 250000), [], [], "", []),
    (None, 7, None, 1, None, None, 1.0, None, None, [3], None, [None, False]),
]  # fmt: skip


def batch_of(rows, columns=COLUMNS):
    arrays = [
        pa.array(list(values), arrow_type(column))
        for values, column in zip(zip(*rows, strict=True), columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])


async def through_the_server(url, batches, columns=COLUMNS):
    connection = await asyncpg.connect(url)
    try:
        fields = ", ".join(f"{quoted(column.name)} {postgres_type(column)}" for column in columns)
        await connection.execute(f"CREATE TEMPORARY TABLE taken ({fields})")

        async def source():
            yield HEADER
            for batch in batches:
                yield encode(batch, columns, Limits())
            yield TRAILER

        await connection.copy_to_table("taken", source=source(), format="binary")
        return [tuple(row) for row in await connection.fetch("SELECT * FROM taken")]
    finally:
        await connection.close()


def expected(rows):
    def value(cell, column):
        return float(np.float32(cell)) if column.datatype == "float" and cell is not None else cell

    return [tuple(map(value, row, COLUMNS)) for row in rows]


async def test_every_type_and_every_null_arrives(database_url):
    assert await through_the_server(database_url, [batch_of(ROWS)]) == expected(ROWS)


async def test_part_of_a_batch_is_that_part(database_url):
    batch = batch_of(ROWS * 3)
    parts = [batch.slice(start, 5) for start in (0, 5, 10)]
    assert await through_the_server(database_url, parts) == expected(ROWS * 3)


cells = st.tuples(
    *(
        st.none() | value
        for value in (
            st.booleans(),
            st.integers(-(2**15), 2**15 - 1),
            st.integers(-(2**31), 2**31 - 1),
            st.integers(-(2**63), 2**63 - 1),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
            st.floats(width=32, allow_nan=False),
            st.floats(allow_nan=False),
            st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
            st.lists(st.floats(allow_nan=False), max_size=3),
            st.lists(st.integers(-5, 5) | st.none(), max_size=3),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
            st.lists(st.booleans() | st.none(), max_size=3),
        )
    )
)


@pytest.fixture(scope="module")
def loop_url(database_server):
    return database_server.url()


@given(st.lists(st.lists(cells, min_size=1, max_size=6), min_size=1, max_size=6))
@settings(max_examples=8)
async def test_any_rows_arrive(loop_url, chunks):
    """Each example is one COPY of several chunks: connecting costs more than the rows."""
    rows = [row for chunk in chunks for row in chunk]
    assert await through_the_server(loop_url, [batch_of(chunk) for chunk in chunks]) == expected(rows)


def test_a_cell_that_is_too_large_is_refused_by_name():
    column = Column("note", "char", "*")
    batch = batch_of([("x" * 11,)], [column])
    with pytest.raises(TableTooLargeError, match="'note' holds a value of 11 bytes; at most 10"):
        encode(batch, [column], Limits(cell_bytes=10))


def test_nan_is_null():
    column = Column("flux", "float")
    assert fitted(pa.array([1.0, math.nan, None]), column).to_pylist() == [1.0, None, None]
