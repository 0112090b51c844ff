"""A result with every kind of column and every kind of nuisance in its cells."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal

from adql.catalogue import Column
from web.vo.formats import ResultInfo, named, write

COLUMNS = (
    Column("id", "long", ucd="meta.id;meta.main", description='a <b> & \x01 "c"'),
    Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"),
    Column("flux", "float", unit="Jy", utype="some:flux"),
    Column("small", "short"),
    Column("count", "int"),
    Column("good", "boolean"),
    Column("note", "char", "*"),
    Column("letters", "unicodeChar", "*"),
    Column("code", "char", "4"),
    Column("outline", "double", "*", "polygon", ucd="pos.outline;obs.field", unit="deg"),
    Column("place", "double", "2", "point", ucd="pos", unit="deg"),
    Column("curve", "float", "*"),
    Column("flags", "int", "*"),
    Column("seen", "char", "*", "timestamp", ucd="time.epoch"),
    Column(
        "t_min",
        "double",
        unit="d",
        ucd="time.start",
        utype="obscore:Char.TimeAxis.Coverage.Bounds.Limits.StartTime",
    ),
)
CORNERS = [10.0, -20.0, 12.0, -20.0, 12.0, -18.5]
ROWS = [
    (1, 10.5, 0.1, 3, 7, True, 'a<b & "c",\r\n\td', "日\U0001f600é", "ab", CORNERS, [10.5, -19.5], [0.1, 2.5], [1, -2],
     datetime(2026, 11, 22, 17, 50, tzinfo=UTC), 61000.25),
    (None,) * 15,
    (-(2**62), math.nan, math.inf, -(2**15) + 1, 2**31 - 1, False, "", "", "abcdef", CORNERS, [0.0, 90.0], [], [],
     datetime(2026, 11, 22, 17, 50, 0, 250000), -math.inf),
    (Decimal(12), 1e-300, -1.5e-7, 0, 0, False, "\x01\x00]]>&#0;<![CDATA[", "\ud800x", "'\\N'", CORNERS[::-1],
     [359.999999999, -90.0], [math.nan, None], [[1, 2], [3, 4]], date(1858, 11, 17), 0.1 + 0.2),
]  # fmt: skip


async def chunks_of(rows, size=2):
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


async def written(name, rows=ROWS, columns=COLUMNS, *, size=2, limit=None, info=None):
    pieces = write(named(name), columns, chunks_of(rows, size), limit=limit, info=info or ResultInfo())
    return b"".join([piece async for piece in pieces])
