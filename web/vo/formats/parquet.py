"""Parquet, streamed by row groups; metadata of the columns as VOParquet keeps them (a VOTable without rows)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import RawIOBase
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from web.vo.formats.arrow import batch_of, schema_of
from web.vo.formats.cells import Values
from web.vo.formats.encoder import Encoder
from web.vo.formats.xml import Ending, head, tail

_GROUP: Final = 50_000
"""Rows of a row group: what is held in memory, and what a reader can skip."""
_VERSION: Final = b"IVOA.VOTable-Parquet.version"
_CONTENT: Final = b"IVOA.VOTable-Parquet.content"


class _Sink(RawIOBase):
    """Keeps what Arrow writes until it is sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._parts.append(piece)
        return len(piece)

    def drained(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class Parquet(Encoder):
    """The status (OK, OVERFLOW) stands in the file's own metadata, which come last."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._schema = schema_of(self.columns)
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def head(self) -> bytes:
        """The magic number."""
        return self._sink.drained()

    def rows(self, columns: Sequence[Values]) -> bytes:
        """Some rows; they are written when a row group is full."""
        batch = batch_of(columns, self._schema)
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _GROUP:
            self._flush()
        return self._sink.drained()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(
                pa.Table.from_batches(self._waiting, self._schema), row_group_size=_GROUP
            )
            self._waiting.clear()
            self._rows = 0

    def tail(self, ending: Ending) -> Iterator[bytes]:
        """The last row group, and the metadata."""
        self._flush()
        document = head(self.columns, self.info) + tail(self.info, ending, self.limit)
        self._writer.add_key_value_metadata({_VERSION: b"1.0", _CONTENT: document.encode()})
        self._writer.close()
        yield self._sink.drained()

    def close(self) -> None:
        """End a file that nobody reads any more."""
        self._writer.close()
