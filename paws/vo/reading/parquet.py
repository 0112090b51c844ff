"""Parquet files, with the metadata that VOParquet (a VOTable without rows) or astropy keeps in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from adql.catalogue import Column
from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.source import TableSource
from paws.vo.reading.types import described, fitted, is_array, tidy
from paws.vo.reading.votable_head import read_head
from paws.vo.reading.yaml_meta import completed, yaml_columns

_BATCH: Final = 50_000
_CONTENT: Final = b"IVOA.VOTable-Parquet.content"
_ASTROPY: Final = b"table_meta_yaml"
_BROKEN: Final = (pa.ArrowException, OSError, ValueError, KeyError, IndexError)


def open_parquet(file: IO[bytes], limits: Limits) -> TableSource:
    """Open a Parquet file.

    Raises
    ------
    TableFileError
        If it is damaged, or holds types that tables have no place for.
    TableTooLargeError
        If its rows, columns or unpacked bytes are too many.
    """
    try:
        # Texts are read as dictionaries: a file of a kilobyte may say a megabyte's text a million times.
        schema = parquet.read_schema(file)
        texts = [field.name for field in schema if _is_text(field.type)]
        file.seek(0)
        reader = parquet.ParquetFile(file, read_dictionary=texts)
        metadata = reader.metadata
    except _BROKEN as error:
        raise TableFileError("The Parquet file cannot be read: it is damaged or cut off.") from error
    schema = reader.schema_arrow
    limits.check_columns(len(schema))
    limits.check_rows(metadata.num_rows)
    limits.check_unpacked(
        sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    )
    if not len(schema):
        raise TableFileError("The Parquet file has no columns.")
    columns, description = _columns(schema, {**(metadata.metadata or {}), **(schema.metadata or {})}, limits)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader.iter_batches(_BATCH, use_threads=False):
                arrays = [
                    _value(values, column, limits)
                    for values, column in zip(batch.columns, columns, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, [str(place) for place in range(len(columns))])
        except _BROKEN as error:
            raise TableFileError("The Parquet file is damaged: its rows cannot be read.") from error

    return TableSource(columns, batches, limits, description=description, rows=metadata.num_rows)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _value(values: Any, column: Column, limits: Limits) -> pa.Array:
    # Places and lengths that a damaged file gives may lie anywhere; what is used afterwards lies within.
    values.validate(full=True)
    if isinstance(values, pa.DictionaryArray):
        longest = pc.max(pc.binary_length(values.dictionary)).as_py() or 0
        limits.check_cell(longest, column.name)
        lengths = pc.sum(pc.binary_length(values.dictionary).take(values.indices)).as_py() or 0
        limits.check_unpacked(lengths)
    return fitted(values, column)


def _columns(
    schema: pa.Schema, metadata: dict[bytes, bytes], limits: Limits
) -> tuple[tuple[Column, ...], str]:
    columns = [_of_field(field) for field in schema]
    description = ""
    if _CONTENT in metadata:
        head = read_head(metadata[_CONTENT], limits)
        known = {field.column.name: field.column for field in head.fields}
        columns = [_like(column, known.get(column.name)) for column in columns]
        description = head.description
    elif _ASTROPY in metadata:
        entries = yaml_columns(metadata[_ASTROPY].decode(errors="replace"))
        columns = [completed(column, entries.get(column.name, {})) for column in columns]
    return tuple(map(tidy, columns)), description


def _of_field(field: pa.Field) -> Column:
    column = described(field.name, field.type)
    own = {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in (field.metadata or {}).items()
    }
    return completed(column, own)


def _like(column: Column, known: Column | None) -> Column:
    """A column of the file with the metadata of its VOTable; what values are, the file itself says."""
    if known is None:
        return column
    text = column.datatype in ("char", "unicodeChar") and known.datatype in ("char", "unicodeChar")
    fits = is_array(column) == is_array(known)
    return replace(
        column,
        datatype=known.datatype if text else column.datatype,
        xtype=(known.xtype if fits else None) or column.xtype,
        unit=known.unit,
        ucd=known.ucd,
        utype=known.utype,
        description=known.description,
    )
