"""How large a table may be that is read, and the error of one that is not fit to be."""

from __future__ import annotations

from dataclasses import dataclass

from paws.errors import InvalidInputError


class TableFileError(InvalidInputError):
    """A file is no table that can be read. The message says what is wrong with it, and where."""

    code = "table_file"


class BadCellError(TableFileError):
    """A cell does not fit its column.

    Parameters
    ----------
    name
        Of the column.
    row
        From 0, among the rows that were looked at; `behind` tells of those before them.
    what
        What is wrong with it.
    """

    def __init__(self, name: str, row: int, what: str) -> None:
        super().__init__(f"Column {name[:80]!r}, row {row + 1}: {what}.", column=name)
        self.name, self.row, self.what = name, row, what

    def behind(self, rows: int) -> BadCellError:
        """The same where other rows came before."""
        return BadCellError(self.name, self.row + rows, self.what)


class TableTooLargeError(TableFileError):
    """A table is larger than it may be. The message names the limit."""

    code = "table_too_large"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a table. A table beyond one of them is refused.

    Attributes
    ----------
    file_bytes
        Size of the file as it came.
    unpacked_bytes
        Size of what comes out of compression, of gzip as of Parquet's own.
    rows, columns
        How many.
    cell_bytes
        Size of one cell.
    """

    file_bytes: int = 4_000_000_000
    unpacked_bytes: int = 16_000_000_000
    rows: int = 100_000_000
    columns: int = 1_000
    cell_bytes: int = 1_000_000

    def check_file(self, size: int) -> None:
        """Refuse a file that is too large."""
        if size > self.file_bytes:
            raise TableTooLargeError(f"The file has {size:,} bytes; at most {self.file_bytes:,} are read.")

    def check_unpacked(self, size: int) -> None:
        """Refuse what unpacks to too much."""
        if size > self.unpacked_bytes:
            raise TableTooLargeError(
                f"The file unpacks to more than {self.unpacked_bytes:,} bytes, which is the most that is read."
            )

    def check_rows(self, rows: int) -> None:
        """Refuse a table that is too long."""
        if rows > self.rows:
            raise TableTooLargeError(f"The table has more than {self.rows:,} rows, which is the most here.")

    def check_columns(self, columns: int) -> None:
        """Refuse a table that is too wide."""
        if columns > self.columns:
            raise TableTooLargeError(f"The table has {columns:,} columns; at most {self.columns:,} are read.")

    def check_cell(self, size: int, column: str) -> None:
        """Refuse a cell that is too large."""
        if size > self.cell_bytes:
            raise TableTooLargeError(
                f"Column {column!r} holds a value of {size:,} bytes; at most {self.cell_bytes:,} are read."
            )
