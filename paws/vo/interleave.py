"""From columns of bytes to rows of bytes, for formats that go row by row: VOTable's binary ones, PostgreSQL's COPY.

All loops run in numpy, over strings as well: their bytes are put at places that are counted out beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """A part of every row that always takes the same room.

    Attributes
    ----------
    data
        Bytes, shape (rows, width).
    present
        Rows that have this part at all, shape (rows,); None if all have.
    """

    data: Bytes
    present: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Varying:
    """A part of every row that takes more room in one than in another.

    Attributes
    ----------
    data
        Bytes of all rows, one after the other.
    lengths
        How many of them each row has, shape (rows,).
    """

    data: Bytes
    lengths: NDArray[np.int64]


Part = Fixed | Varying


def fixed(values: NDArray[Any], present: NDArray[np.bool_] | None = None) -> Fixed:
    """Make a part of an array of numbers, shape (rows,) or (rows, n), whose bytes are in the right order."""
    whole = np.ascontiguousarray(values)
    count = whole.shape[0]
    width = whole.dtype.itemsize * (whole.size // count if count else 1)
    return Fixed(whole.view(np.uint8).reshape(count, width), present)


def constant(content: bytes, count: int, present: NDArray[np.bool_] | None = None) -> Fixed:
    """Make a part that is the same in every row."""
    return Fixed(np.broadcast_to(np.frombuffer(content, np.uint8), (count, len(content))), present)


def varying(pieces: Iterable[bytes]) -> Varying:
    """Make a part of the rows' own bytes."""
    whole = list(pieces)
    lengths = np.fromiter(map(len, whole), np.int64, len(whole))
    return Varying(np.frombuffer(b"".join(whole), np.uint8), lengths)


def interleave(parts: Sequence[Part], count: int) -> Bytes:
    """Put parts together: the first row's bytes of all parts, then those of the second row, and so on.

    Parameters
    ----------
    count
        Number of rows.

    Returns
    -------
    ndarray
        Bytes, one after the other.
    """
    blocks = _merged(parts, count)
    if len(blocks) == 1 and isinstance(blocks[0], Fixed):
        only = blocks[0]
        return only.data.reshape(-1) if only.present is None else only.data[only.present]
    lengths = [_lengths(block, count) for block in blocks]
    rows = np.sum(lengths, axis=0, dtype=np.int64) if lengths else np.zeros(count, np.int64)
    place = np.concatenate(([0], np.cumsum(rows)[:-1])) if count else np.zeros(0, np.int64)
    whole = np.empty(int(rows.sum()), np.uint8)
    for block, length in zip(blocks, lengths, strict=True):
        if isinstance(block, Fixed):
            _put_fixed(whole, block, place)
        else:
            _put_varying(whole, block, place)
        place = place + length
    return whole


def _lengths(block: Part, count: int) -> NDArray[np.int64]:
    if isinstance(block, Varying):
        return block.lengths
    if block.present is None:
        return np.full(count, block.data.shape[1], np.int64)
    # After merging, `present` tells for every byte whether it is there.
    lengths: NDArray[np.int64] = block.present.sum(axis=1, dtype=np.int64)
    return lengths


def _put_fixed(whole: Bytes, block: Fixed, place: NDArray[np.int64]) -> None:
    width = block.data.shape[1]
    if block.present is None:
        whole[place[:, None] + np.arange(width)] = block.data
        return
    inner = np.cumsum(block.present, axis=1) - 1
    whole[(place[:, None] + inner)[block.present]] = block.data[block.present]


def _put_varying(whole: Bytes, block: Varying, place: NDArray[np.int64]) -> None:
    before = np.cumsum(block.lengths) - block.lengths
    whole[np.repeat(place - before, block.lengths) + np.arange(block.data.size)] = block.data


def _merged(parts: Sequence[Part], count: int) -> list[Part]:
    """Neighbours of fixed width become one block; `present` of a block tells it for every byte."""
    blocks: list[Part] = []
    run: list[Fixed] = []
    for part in (*parts, None):
        if isinstance(part, Fixed):
            run.append(part)
            continue
        if run:
            blocks.append(_together(run, count))
            run = []
        if part is not None:
            blocks.append(part)
    return blocks


def _together(run: Sequence[Fixed], count: int) -> Fixed:
    data = np.concatenate([part.data for part in run], axis=1) if len(run) > 1 else run[0].data
    if all(part.present is None for part in run):
        return Fixed(np.ascontiguousarray(data))
    present = np.empty(data.shape, np.bool_)
    start = 0
    for part in run:
        end = start + part.data.shape[1]
        present[:, start:end] = True if part.present is None else part.present[:, None]
        start = end
    return Fixed(np.ascontiguousarray(data), present)
