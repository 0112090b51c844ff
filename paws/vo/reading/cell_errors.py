"""Which cell of a column cannot be read: Arrow tells of a whole column that something in it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from adql.catalogue import Column
from paws.vo.reading.limits import BadCellError, TableFileError

FAILURES: Final = (pa.ArrowException, ValueError, OverflowError)
"""What Arrow and Python raise over a value that is not what it should be."""
_SHOWN: Final = 60
_NUMBERS: Final = {"point": 2, "circle": 3}
_FEWEST: Final = 6
"""Numbers of a polygon: three corners."""


def not_read(
    values: pa.Array, read: Callable[[pa.Array], object], column: Column, wanted: str
) -> TableFileError:
    """The error of a column that cannot be read.

    Parameters
    ----------
    values
        The column as it came.
    read
        What fails over it; tried on ever smaller parts.
    wanted
        What its cells should be.
    """
    first, end = 0, len(values)
    while end - first > 1:
        middle = (first + end) // 2
        if _fails(read, values.slice(first, middle - first)):
            end = middle
        else:
            first = middle
    if not len(values) or not _fails(read, values.slice(first, 1)):
        return TableFileError(f"Column {column.name!r} cannot be read as {wanted}.", column=column.name)
    shown = repr(values[first].as_py())
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return BadCellError(column.name, first, f"{shown} is no {wanted}")


def _fails(read: Callable[[pa.Array], object], values: pa.Array) -> bool:
    try:
        read(values)
    except FAILURES:
        return True
    return False


def check_counts(lists: pa.Array, column: Column) -> None:
    """Refuse cells with more or fewer numbers than their column has: what is put in or cut is no longer the value.

    Raises
    ------
    BadCellError
        At the first of them.
    """
    xtype = column.xtype or ""
    counts = np.diff(np.asarray(lists.offsets))
    if xtype == "polygon":
        wrong, wanted = (counts < _FEWEST) | (counts % 2 == 1), f"{_FEWEST}, 8, 10 ..."
    elif needed := _NUMBERS.get(xtype) or _size(column.arraysize or "*"):
        wrong, wanted = counts != needed, str(needed)
    else:
        return
    if lists.null_count:
        wrong &= lists.is_valid().to_numpy(zero_copy_only=False)
    if wrong.any():
        row = int(wrong.argmax())
        what = f"a {xtype}" if xtype in (*_NUMBERS, "polygon") else "a cell of it"
        raise BadCellError(column.name, row, f"{what} has {wanted} numbers; here are {counts[row]}")


def _size(arraysize: str) -> int | None:
    """Numbers of a cell; None where cells differ."""
    if "*" in arraysize:
        return None
    size = 1
    for dimension in arraysize.split("x"):
        size *= int(dimension or 1)
    return size
