"""What the writers are given: columns, the facts of a result, and the record chunks of a query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from paws.errors import InvalidInputError, PawsError

UNEXPLAINED = "The query broke off. The rows before this line are right, but there are more; try again."
"""Told where an error's own words may hold what is not for everybody."""


class Described(Protocol):
    """A column of a result: ``adql.OutputColumn`` and ``adql.catalogue.Column`` are such."""

    @property
    def name(self) -> str: ...  # noqa: D102 - a protocol of plain attributes
    @property
    def datatype(self) -> str: ...  # noqa: D102 - as above
    @property
    def arraysize(self) -> str | None: ...  # noqa: D102 - as above
    @property
    def xtype(self) -> str | None: ...  # noqa: D102 - as above
    @property
    def unit(self) -> str | None: ...  # noqa: D102 - as above
    @property
    def ucd(self) -> str | None: ...  # noqa: D102 - as above
    @property
    def utype(self) -> str | None: ...  # noqa: D102 - as above
    @property
    def description(self) -> str: ...  # noqa: D102 - as above


Row = Sequence[Any]
"""A record: one value a column, in their order (a tuple, or an asyncpg ``Record``)."""
Chunks = AsyncIterator[Sequence[Row]]


@dataclass(frozen=True, slots=True)
class ResultInfo:
    """Facts of a result that are not in its rows.

    Attributes
    ----------
    query
        Text of the query, for ``INFO name="QUERY"``.
    title
        Described in the document's own words.
    facts
        Further ``INFO`` elements by name: provenance, server, citation.
    descriptors
        Service descriptors: checked XML of ``RESOURCE type="meta"`` elements, put behind the results.
    params
        Checked XML of ``PARAM``, ``GROUP`` and such, put into the results' ``RESOURCE`` before its table.
    table_name
        Name of the table in the document.
    table_utype
        Its utype.
    explain
        Makes an error that struck between two chunks fit for the reader's eyes.
    spool_dir
        Folder for temporary files of formats that need them; the system's own by default.
    spool_bytes
        Most bytes of such a file.
    whole
        Whether a part of the rows is of no use: what fails after the first of them is then raised in every format.
    counted
        Called with the number of rows when all of them are written.
    """

    query: str | None = None
    title: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[str] = ()
    params: Sequence[str] = ()
    table_name: str = "results"
    table_utype: str | None = None
    explain: Callable[[Exception], str] | None = None
    spool_dir: Path | None = None
    spool_bytes: int = 8_000_000_000
    whole: bool = False
    counted: Callable[[int], None] | None = None

    def words(self, error: Exception) -> str:
        """Say why the rows end early, in words for the reader."""
        if self.explain is not None:
            return self.explain(error)
        return error.message if isinstance(error, PawsError) else UNEXPLAINED


class Kind(Enum):
    """What the cells of a column are, whichever way they are written."""

    BOOLEAN = "boolean"
    SHORT = "short"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    CHAR = "char"
    UNICODE = "unicodeChar"

    @property
    def is_text(self) -> bool:
        """Whether cells are strings."""
        return self in (Kind.CHAR, Kind.UNICODE)

    @property
    def is_integer(self) -> bool:
        """Whether cells are whole numbers."""
        return self in (Kind.SHORT, Kind.INT, Kind.LONG)

    @property
    def is_real(self) -> bool:
        """Whether cells may be NaN or infinite."""
        return self in (Kind.FLOAT, Kind.DOUBLE)

    @property
    def numpy(self) -> str:
        """Type of a number in numpy, in the order of bytes that VOTable, FITS and PostgreSQL share."""
        return _NUMPY[self]


_NUMPY = {
    Kind.BOOLEAN: "?",
    Kind.SHORT: ">i2",
    Kind.INT: ">i4",
    Kind.LONG: ">i8",
    Kind.FLOAT: ">f4",
    Kind.DOUBLE: ">f8",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a column's cells are laid out.

    Attributes
    ----------
    length
        Elements of a cell (characters of a string): 1 for a scalar, None where cells differ.
    scalar
        Whether a cell is one number, or one string.
    least
        Elements of a cell of VOTable that holds nothing. A polygon has three corners at the least, and validators
        and readers fail over one of none: a lost one is three times NaN.
    """

    kind: Kind
    length: int | None
    scalar: bool
    least: int = 0

    @property
    def fixed(self) -> bool:
        """Whether all cells take the same room."""
        return self.length is not None


def shape_of(column: Described) -> Shape:
    """Read a column's datatype and arraysize.

    Raises
    ------
    InvalidInputError
        If the datatype is none that tables of ours hold.
    """
    try:
        kind = Kind(column.datatype)
    except ValueError:
        raise InvalidInputError(
            f"Column {column.name} has the datatype {column.datatype!r}, which no result can hold;"
            f" datatypes are {', '.join(known.value for known in Kind)}.",
            column=column.name,
        ) from None
    size = (column.arraysize or "").strip()
    if kind.is_text:
        return Shape(kind, int(size) if size.isdecimal() else (None if size else 1), True)
    if not size or size == "1":
        return Shape(kind, 1, True)
    dimensions = size.split("x")
    if all(dimension.isdecimal() for dimension in dimensions):
        count = 1
        for dimension in dimensions:
            count *= int(dimension)
        return Shape(kind, count, False, count)
    polygon = kind.is_real and (column.xtype or "").lower() == "polygon"
    return Shape(kind, None, False, 6 if polygon else 0)


def shapes_of(columns: Iterable[Described]) -> tuple[Shape, ...]:
    """Shapes of all columns."""
    return tuple(shape_of(column) for column in columns)
