"""VOTables: any version and serialisation but FITS within; the first table that has columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.source import TableSource
from paws.vo.reading.unpacking import mapped
from paws.vo.reading.votable_binary import binary_batches
from paws.vo.reading.votable_head import read_head
from paws.vo.reading.votable_text import text_batches


def open_votable(file: IO[bytes], limits: Limits) -> TableSource:
    """Open a VOTable.

    Raises
    ------
    TableFileError
        If it is none that is read. Rows are looked at when they are asked for.
    """
    data, close = mapped(file, limits)
    try:
        head = read_head(data, limits)
        if not head.fields:
            raise TableFileError("The table of the VOTable has no columns.")
        if head.serialisation == "FITS":
            raise TableFileError("The rows of the VOTable are a FITS file within it; send that file itself.")
    except BaseException:
        close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        if head.serialisation == "TABLEDATA" and head.start:
            yield from text_batches(data, head, limits)
        elif head.serialisation and head.start:
            yield from binary_batches(data, head, limits)

    return TableSource(
        tuple(field.column for field in head.fields),
        batches,
        limits,
        description=head.description,
        name=head.name,
        close=close,
    )
