"""Tables for tests of publishing: columns and rows made up on the spot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from adql.catalogue import Column
from paws.accounts.audit import COMMAND_LINE
from paws.vo.names import table_name
from paws.vo.publish.wish import Wish
from paws.vo.reading.limits import Limits
from paws.vo.reading.source import TableSource
from paws.vo.reading.types import arrow_type

STARS = (
    Column("id", "long", description="Number"),
    Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"),
    Column("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main"),
    Column("name", "char", "*", ucd="meta.id"),
)
ROWS = [(1, 10.0, -30.0, "one"), (2, 350.0, 89.9, "two"), (3, None, None, None)]


def made_up(
    columns: tuple[Column, ...] = STARS,
    rows: Sequence[tuple[Any, ...]] = ROWS,
    *,
    breaks_after: int | None = None,
) -> TableSource:
    """A file that is none; it may break after a number of rows."""

    def batches() -> Iterator[pa.RecordBatch]:
        whole = pa.RecordBatch.from_arrays(
            [
                pa.array(values, arrow_type(column))
                for values, column in zip(zip(*rows, strict=True), columns, strict=True)
            ],
            names=[str(number) for number in range(len(columns))],
        )
        yield whole.slice(0, breaks_after)
        if breaks_after is not None:
            raise OSError("the disk is gone")

    return TableSource(columns, batches, Limits(), "Stars of nowhere")


def wish(name: str = "gama.sources", **more: Any) -> Wish:
    return Wish(table_name(name), "stars.csv", COMMAND_LINE, **more)
