"""Our VOTables and FITS tables as STILTS judges and reads them, the library behind TOPCAT."""

from __future__ import annotations

import csv
import io

import pytest

from tests.support.stilts import needs_stilts, stilts
from tests.unit.web.vo.formats.results import COLUMNS, ROWS, written
from web.vo.formats import ResultInfo

pytestmark = needs_stilts


async def test_votlint_finds_nothing(tmp_path):
    """Every kind of column, NULL in each. A single character has no length to tell, and is left out."""
    path = tmp_path / "td.vot"
    # Infinite coordinates are an error of their own, and not in this result.
    path.write_bytes(await written("votable/td", limit=3, info=ResultInfo(query='SELECT "<" FROM t')))
    status, output = await stilts("votlint", "version=1.4", str(path))
    assert (status, output.strip()) == (0, "")


async def test_votlint_finds_nothing_in_binary2(tmp_path):
    """Without the polygon: the stream reader of votlint 3.4.7 loses its way behind one of varying length."""
    keep = [place for place, column in enumerate(COLUMNS) if column.xtype != "polygon"]
    rows = [tuple(row[place] for place in keep) for row in ROWS]
    path = tmp_path / "b2.vot"
    path.write_bytes(await written("votable/b2", rows, [COLUMNS[place] for place in keep], limit=3))
    status, output = await stilts("votlint", "version=1.4", str(path))
    assert (status, output.strip()) == (0, "")


@pytest.mark.parametrize("name", ["votable/b2", "fits"])
async def test_stil_reads_what_was_written(tmp_path, name):
    path = tmp_path / "table"
    path.write_bytes(await written(name))
    kind = "fits" if name == "fits" else "votable"
    status, output = await stilts("tpipe", f"in={path}", f"ifmt={kind}", "ofmt=csv")
    assert status == 0, output
    found = list(csv.DictReader(io.StringIO(output)))
    assert [row["id"] for row in found] == ["1", "", str(-(2**62)), "12"]
    assert [row["flux"] for row in found] == ["0.1", "", "Infinity", "-1.5E-7"]
    assert found[0]["outline"] == "(10.0, -20.0, 12.0, -20.0, 12.0, -18.5)"
    assert found[0]["flags"] == "(1, -2)"
    assert [row["good"] for row in found] == ["true", "", "false", "false"]
