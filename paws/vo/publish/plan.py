"""How a table is stored: names, types, converted positions. Decided before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from adql.catalogue import Column, Position
from paws.vo.names import column_names, published, quoted
from paws.vo.publish.errors import PublishError
from paws.vo.publish.metadata import TableMetadata, merge
from paws.vo.publish.positions import PositionChoice, Unit, choose_positions
from paws.vo.reading.types import SHAPES

MOST_COLUMNS: Final = 1500
"""PostgreSQL has at most 1600 columns in a table."""

_KIND_OF_INDEX: Final = {"smallint": "btree", "integer": "btree", "bigint": "btree", "text": "hash"}
"""Index of an identifier: texts may be longer than an ordered index has room for."""
_TO_DEGREES: Final[dict[Unit, str]] = {
    "deg": "{}::double precision",
    "rad": "degrees({}::double precision)",
    "hour": "({}::double precision * 15)",
}


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column as it is published, and as it is stored.

    Attributes
    ----------
    column
        As it is published.
    stored
        Its name in the table that holds it.
    sql_type
        Its type there.
    computed
        Expression that it is computed by; None for what the file has.
    """

    column: Column
    stored: str
    sql_type: str
    computed: str | None = None

    @property
    def definition(self) -> str:
        """As CREATE TABLE has it."""
        text = f"{quoted(self.stored)} {self.sql_type}"
        return text if self.computed is None else f"{text} GENERATED ALWAYS AS ({self.computed}) STORED"


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How a table is stored.

    Attributes
    ----------
    columns
        Those of the file in the file's order, then those that are computed.
    position
        Published names of the columns that are indexed as positions, in degrees.
    stored_position
        Their names in the table that holds them.
    why_position
        Why these, or why none.
    regions
        Names of stored columns that hold points, circles or polygons, to be indexed as such.
    identifiers
        Names of stored columns whose rows are asked for one by one, to be indexed; with the kind of index.
    warnings
        What was changed or is doubtful, for people.
    """

    columns: tuple[StoredColumn, ...]
    position: Position | None
    stored_position: tuple[str, str] | None
    why_position: str
    regions: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    @property
    def filled(self) -> tuple[str, ...]:
        """Names of the stored columns that the file's values go to, in the file's order."""
        return tuple(column.stored for column in self.columns if column.computed is None)

    @property
    def published(self) -> tuple[Column, ...]:
        """Columns as they are published."""
        return tuple(column.column for column in self.columns)

    def create(self, relation: str) -> str:
        """Statement that makes the table; the relation is quoted already."""
        return f"CREATE TABLE {relation} ({', '.join(column.definition for column in self.columns)})"


def plan_table(columns: Sequence[Column], types: Sequence[str], metadata: TableMetadata) -> TablePlan:
    """How a table is stored.

    Parameters
    ----------
    columns, types
        Those of the file, and the types of PostgreSQL that take their values.
    metadata
        What is said of them beside the file.

    Raises
    ------
    PublishError
        If there are no columns or too many, or one cannot be stored.
    MetadataError
        If the metadata do not fit.
    """
    if not columns:
        raise PublishError("The file has no columns.")
    if len(columns) > MOST_COLUMNS:
        raise PublishError(f"The file has {len(columns)} columns; a table has at most {MOST_COLUMNS}.")
    merged, of_metadata = merge(columns, metadata)
    names, of_names = column_names([column.name for column in merged])
    stored = [
        StoredColumn(
            replace(column, name=name.name, sql=None if name.stored == name.name else quoted(name.stored)),
            name.stored,
            kind,
        )
        for column, name, kind in zip(merged, names, types, strict=True)
    ]
    choice = choose_positions([item.column for item in stored])
    warnings = (*of_names, *of_metadata, *choice.warnings)
    position: Position | None = None
    places: tuple[str, ...] = ()
    if choice.found:
        ra, dec = _in_degrees(stored, choice)
        position, places = Position(ra.column.name, dec.column.name), (ra.stored, dec.stored)
        computed = [item for item in (ra, dec) if item.computed is not None]
        replaced = [choice.ra] * (ra in computed) + [choice.dec] * (dec in computed)
        stored = [*(_minor(item) if item.column.name in replaced else item for item in stored), *computed]
        if computed:
            made = " and ".join(published(item.column.name) for item in computed)
            warnings = (*warnings, f"Positions in degrees are computed: {made}.")
    regions, identifiers = _also_indexed(stored)
    indexed = {*places, *regions, *(name for name, _kind in identifiers)}
    return TablePlan(
        tuple(_marked(item, item.stored in indexed) for item in stored),
        position,
        (places[0], places[1]) if places else None,
        choice.reason,
        regions,
        identifiers,
        warnings,
    )


def plan_again(columns: Sequence[StoredColumn], position: Position | None) -> TablePlan:
    """Plan of a table that was published before, as it was stored then.

    Parameters
    ----------
    columns
        All of them hold values of their own; what had been computed as well.
    position
        Published names of the columns that were indexed as positions.

    Raises
    ------
    PublishError
        If these are not among the columns.
    """
    places: tuple[str, str] | None = None
    if position is not None:
        stored = {item.column.name: item.stored for item in columns}
        if position.ra not in stored or position.dec not in stored:
            raise PublishError(f"There are no columns {position.ra!r} and {position.dec!r} to be positions.")
        places = stored[position.ra], stored[position.dec]
    regions, identifiers = _also_indexed(columns)
    return TablePlan(tuple(columns), position, places, "published so", regions, identifiers, ())


def _also_indexed(
    stored: Sequence[StoredColumn],
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Columns that are indexed beside the positions: regions, and identifiers with the kind of index."""
    regions = tuple(item.stored for item in stored if _is_region(item))
    return regions, tuple(
        (item.stored, _KIND_OF_INDEX[item.sql_type]) for item in stored if _identifies(item)
    )


def _is_region(item: StoredColumn) -> bool:
    return item.column.xtype in SHAPES and item.sql_type == "double precision[]"


def _identifies(item: StoredColumn) -> bool:
    """Whether rows are asked for by a column: the main identifier, as its UCD says."""
    words = (item.column.ucd or "").lower().split(";")
    return words[0].startswith("meta.id") and "meta.main" in words and item.sql_type in _KIND_OF_INDEX


def _marked(item: StoredColumn, indexed: bool) -> StoredColumn:
    main = "meta.main" in (item.column.ucd or "").lower().split(";")
    column = replace(item.column, indexed=indexed, principal=indexed or main or item.column.principal)
    return replace(item, column=column)


def _in_degrees(stored: Sequence[StoredColumn], choice: PositionChoice) -> tuple[StoredColumn, StoredColumn]:
    """The two columns that are indexed: those of the file, or computed ones."""
    by_name = {item.column.name: item for item in stored}
    ra, dec = by_name[choice.ra], by_name[choice.dec]
    if choice.in_degrees:
        return ra, dec
    free, _ = column_names([*(item.column.name for item in stored), "ra_deg", "dec_deg"])
    made = []
    for item, unit, name, axis in (
        (ra, choice.ra_unit, free[-2], "ra"),
        (dec, choice.dec_unit, free[-1], "dec"),
    ):
        if unit == "deg":
            made.append(item)
            continue
        column = Column(
            name.name,
            "double",
            unit="deg",
            ucd=f"pos.eq.{axis};meta.main",
            description=f"{item.column.name} in degrees",
        )
        expression = _TO_DEGREES[unit].format(quoted(item.stored))
        made.append(StoredColumn(column, name.stored, "double precision", expression))
    return made[0], made[1]


def _minor(item: StoredColumn) -> StoredColumn:
    """A column that is the main position no more: a computed one is."""
    words = [word for word in (item.column.ucd or "").split(";") if word != "meta.main"]
    return replace(item, column=replace(item.column, ucd=";".join(words) or None))
