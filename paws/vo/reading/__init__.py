"""Tables of files: VOTable, FITS, CSV and its like, Parquet. Bounded, and ready for PostgreSQL's binary COPY."""

from __future__ import annotations

from paws.vo.reading.limits import Limits, TableFileError, TableTooLargeError
from paws.vo.reading.opening import open_table
from paws.vo.reading.source import TableSource
from paws.vo.reading.types import postgres_type

__all__ = ["Limits", "TableFileError", "TableSource", "TableTooLargeError", "open_table", "postgres_type"]
