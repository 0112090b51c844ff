"""From the record chunks of a query to the bytes of an answer, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

from paws.log import get_logger
from web.vo.formats.binary import Binary, Binary2
from web.vo.formats.cells import columns_of
from web.vo.formats.encoder import Encoder
from web.vo.formats.fits import Fits
from web.vo.formats.json import Json
from web.vo.formats.parquet import Parquet
from web.vo.formats.registry import Format, Writer
from web.vo.formats.separated import Csv, Tsv
from web.vo.formats.tabledata import TableData
from web.vo.formats.values import Chunks, Described, ResultInfo, Row
from web.vo.formats.xml import Ending

_log = get_logger(__name__)
_PIECE: Final = 65_536
"""Bytes that are put together before they are sent: the answer of a small query is one piece."""
_AT_ONCE: Final = 2_000
"""Rows written in one go: other requests get their turn in between."""

ENCODERS: Final[dict[Writer, Callable[[Sequence[Described], ResultInfo, int | None], Encoder]]] = {
    Writer.TABLEDATA: TableData,
    Writer.BINARY: Binary,
    Writer.BINARY2: Binary2,
    Writer.JSON: Json,
    Writer.FITS: Fits,
    Writer.PARQUET: Parquet,
    Writer.CSV: Csv,
    Writer.TSV: Tsv,
}


class _Rows:
    """Rows of a query up to a limit, in chunks that are not too large; knows how many, and whether there were more."""

    def __init__(self, chunks: Chunks | None, limit: int | None) -> None:
        self._chunks = chunks
        self._left = limit
        self.overflow = limit == 0
        self.count = 0

    async def slices(self) -> AsyncGenerator[Sequence[Row], None]:
        """Rows, a few thousand at a time. The query is given back at their end, whichever end that is."""
        if self._chunks is None or self.overflow:
            return
        async with _closing(self._chunks) as chunks:
            async for chunk in chunks:
                rows = self._within(chunk)
                self.count += len(rows)
                for start in range(0, len(rows), _AT_ONCE):
                    if start:
                        await asyncio.sleep(0)
                    yield rows[start : start + _AT_ONCE]
                if self.overflow:
                    return

    def _within(self, chunk: Sequence[Row]) -> Sequence[Row]:
        if self._left is None:
            return chunk
        if len(chunk) > self._left:
            self.overflow = True
            return chunk[: self._left]
        self._left -= len(chunk)
        return chunk


class _Pieces:
    """Bytes that gather until they are worth sending."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> bool:
        """Gather some bytes. Returns whether it is time to send."""
        self._parts.append(part)
        self._size += len(part)
        return self._size >= _PIECE

    def taken(self) -> bytes:
        """All that has gathered; the next begin anew."""
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        return whole


@asynccontextmanager
async def _closing(chunks: Chunks) -> AsyncIterator[Chunks]:
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


async def write(
    format_: Format,
    columns: Sequence[Described],
    chunks: Chunks | None,
    *,
    limit: int | None = None,
    info: ResultInfo | None = None,
) -> AsyncGenerator[bytes, None]:
    """Write a result. Close it where it is not read to its end (`contextlib.aclosing`).

    The first chunk is awaited before the first byte is given: what fails until then is raised, and can still become
    an error document. What fails later is told in the document where the format has a place for it (VOTable, JSON)
    and a part of the rows is of use (`ResultInfo.whole`), and otherwise raised, so that the answer is broken off.

    Parameters
    ----------
    chunks
        Records of the query. To know of an overflow it must go on for one row past `limit`. None: there are no rows.
    limit
        Most rows. 0 asks for the columns alone; `chunks` is then left alone, and the overflow told.

    Raises
    ------
    InvalidInputError
        If a column's datatype cannot be written.
    """
    about = info or ResultInfo()
    rows = _Rows(chunks, limit)
    encoder = ENCODERS[format_.writer](columns, about, limit)
    error: str | None = None
    pieces = _Pieces()
    begun = False
    try:
        try:
            async with aclosing(rows.slices()) as slices:
                async for chunk in slices:
                    if not begun:
                        pieces.add(encoder.head())
                    full = pieces.add(encoder.rows(columns_of(chunk, len(columns))))
                    begun = True
                    if full:
                        yield pieces.taken()
        except Exception as problem:
            if about.whole or not (begun and encoder.tells_errors):
                raise
            _log.warning("a result broke off", query=about.query, error=repr(problem))
            error = about.words(problem)
        if not begun:
            pieces.add(encoder.head())
        for piece in encoder.tail(Ending(rows.overflow and error is None, error)):
            if pieces.add(piece):
                yield pieces.taken()
                # What is sent from a file waits for nobody: others get their turn.
                await asyncio.sleep(0)
        if rest := pieces.taken():
            yield rest
        if about.counted is not None and error is None:
            about.counted(rows.count)
    finally:
        encoder.close()


async def begun(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Wait for the first bytes of a result, and return all of it.

    What fails before the first byte is raised here, where an answer has not begun yet.
    """
    first = await anext(stream, None)

    async def whole() -> AsyncGenerator[bytes, None]:
        async with aclosing(stream):
            if first is not None:
                yield first
            async for piece in stream:
                yield piece

    return whole()
