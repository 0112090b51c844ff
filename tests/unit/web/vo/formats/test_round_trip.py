"""What is written is read again the same: writers and readers were made apart from each other."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adql.catalogue import Column
from paws.vo.reading import open_table
from tests.unit.paws.vo.reading.test_opening import rows_of
from tests.unit.web.vo.formats.results import written

COLUMNS = (
    Column("truth", "boolean"),
    Column("small", "short"),
    Column("whole", "int"),
    Column("big", "long"),
    Column("single", "float"),
    Column("double", "double", unit="deg", ucd="pos.eq.ra", description='A "<&>" column'),
    Column("text", "unicodeChar", "*"),
    Column("point", "double", "2", "point"),
    Column("curve", "float", "*"),
    Column("when", "char", "*", "timestamp"),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=5)  # fmt: skip
cells = st.tuples(
    *(
        st.none() | value
        for value in (
            st.booleans(),
            st.integers(-(2**15) + 1, 2**15 - 1),
            st.integers(-(2**31) + 1, 2**31 - 1),
            st.integers(-(2**63) + 1, 2**63 - 1),
            st.floats(width=32, allow_nan=False),
            st.floats(allow_nan=False),
            TEXTS,
            st.lists(st.floats(allow_nan=False), min_size=2, max_size=2),
            st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=4),
            st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
        )
    )
)


def kept(row, name):
    """A row as the format keeps it."""
    values = list(row)
    if name == "fits":
        values[6] = values[6] and values[6].encode("ascii", "replace").decode().rstrip()
    values[4] = None if values[4] is None else float(np.float32(values[4]))
    values[9] = values[9] and values[9].replace(tzinfo=None)
    return [value if value not in ("", []) else None for value in values]


@pytest.mark.parametrize("name", ["votable/td", "votable/b2", "votable/b", "fits", "parquet"])
@given(rows=st.lists(cells, max_size=8), size=st.integers(1, 5))
@settings(max_examples=15)
async def test_the_same_rows_come_back(tmp_path_factory, name, rows, size):
    path = tmp_path_factory.getbasetemp() / f"written-{name.replace('/', '-')}"
    path.write_bytes(await written(name, rows, COLUMNS, size=size))
    source = open_table(path)
    found = [[value if value not in ("", []) else None for value in row] for row in rows_of(source)]
    assert found == [kept(row, name) for row in rows]
    ra = source.columns[5]
    assert (ra.unit, ra.ucd, ra.description) == ("deg", "pos.eq.ra", 'A "<&>" column')
    assert source.columns[7].xtype == "point"


@given(rows=st.lists(cells.map(lambda row: row[:7]), min_size=1, max_size=8))
@settings(max_examples=15)
async def test_csv_keeps_numbers_and_texts(tmp_path_factory, rows):
    """Types are guessed, so the first row has a number where numbers are, and texts that are no numbers."""
    whole = [(True, 1, 2, 2**62, 0.5, 0.5, "text"), *rows]
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(await written("csv", whole, COLUMNS[:7]))
    for found, row in zip(rows_of(open_table(path)), whole, strict=True):
        wanted = kept((*row, None, None, None), "csv")[:7]
        assert found[:4] == tuple(wanted[:4])
        assert [math.nan if x is None else np.float32(x) for x in (found[4],)] == pytest.approx(
            [math.nan if x is None else x for x in (wanted[4],)], rel=1e-6, nan_ok=True
        )
        assert found[5] == wanted[5]
        if wanted[6] not in ("NA", "null", "None"):
            assert found[6] == wanted[6]
