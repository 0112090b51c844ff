"""Types and metadata of values: from columns, of literals, of choices between values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from adql.catalogue import Column
from adql.errors import AdqlTypeError
from adql.typed import Constant, Expression, Kind, Meta

_INTEGERS: Final = ("unsignedByte", "short", "int", "long")
_GEOMETRIES: Final = {
    "point": Kind.POINT,
    "circle": Kind.CIRCLE,
    "polygon": Kind.POLYGON,
    "region": Kind.REGION,
    "shape": Kind.REGION,
}

INT: Final = Meta(Kind.INTEGER, "int")
LONG: Final = Meta(Kind.INTEGER, "long")
DOUBLE: Final = Meta(Kind.FLOAT, "double")
TEXT: Final = Meta(Kind.STRING, "unicodeChar", "*")
BOOLEAN: Final = Meta(Kind.BOOLEAN, "boolean")
TIMESTAMP: Final = Meta(Kind.TIMESTAMP, "char", "*", "timestamp")
POINT: Final = Meta(Kind.POINT, "double", "2", "point", "deg", "pos.eq")
CIRCLE: Final = Meta(Kind.CIRCLE, "double", "3", "circle", "deg", "pos.outline")
POLYGON: Final = Meta(Kind.POLYGON, "double", "*", "polygon", "deg", "pos.outline")
REGION: Final = Meta(Kind.REGION, "double", "*", "region", "deg", "pos.outline")
NULL: Final = Meta(Kind.NULL, "unicodeChar", "*")
"""NULL that meets no other value is written as an empty text."""


@lru_cache(maxsize=8192)
def of_column(column: Column) -> Meta:
    """The type of a column, with all that TAP_SCHEMA says of it."""
    return Meta(
        kind_of(column),
        column.datatype,
        column.arraysize,
        column.xtype,
        column.unit or None,
        column.ucd or None,
        column.utype or None,
        column.description,
    )


def kind_of(column: Column) -> Kind:
    """What can be done with the values of a column."""
    xtype = (column.xtype or "").lower().removeprefix("adql:")
    if xtype == "timestamp":
        return Kind.TIMESTAMP
    if xtype in _GEOMETRIES:
        return _GEOMETRIES[xtype]
    scalar = column.arraysize in (None, "", "1")
    if column.datatype in ("char", "unicodeChar"):
        return Kind.ARRAY if "x" in (column.arraysize or "") else Kind.STRING
    if not scalar:
        return Kind.ARRAY
    if column.datatype == "boolean":
        return Kind.BOOLEAN
    if column.datatype in _INTEGERS:
        return Kind.INTEGER
    # Bits and complex numbers can be looked at, not calculated with.
    return Kind.FLOAT if column.datatype in ("float", "double") else Kind.ARRAY


def go_together(left: Kind, right: Kind) -> bool:
    """Whether values of two kinds can be compared, or be alternatives in one column."""
    if Kind.NULL in (left, right) or (left.numeric and right.numeric):
        return True
    if left.geometric and right.geometric:
        return left is right or Kind.REGION in (left, right)
    return left is right


def wider(left: Meta, right: Meta) -> Meta:
    """The type that holds values of both, of kinds that go together; what they agree on is kept.

    Raises
    ------
    AdqlTypeError
        If they do not go together.
    """
    if left.kind is Kind.NULL:
        return right
    if right.kind is Kind.NULL:
        return left
    if not go_together(left.kind, right.kind):
        raise AdqlTypeError(f"{left.kind.named} and {right.kind.named} do not go together")
    base = left if left.kind is right.kind else (left if left.kind in (Kind.FLOAT, Kind.REGION) else right)
    return replace(
        base,
        datatype=wider_datatype(left.datatype, right.datatype),
        arraysize=left.arraysize if left.arraysize == right.arraysize else "*",
        xtype=left.xtype if left.xtype == right.xtype else base.xtype,
        unit=left.unit if left.unit == right.unit else None,
        ucd=left.ucd if left.ucd == right.ucd else None,
        utype=left.utype if left.utype == right.utype else None,
        description=left.description if left.description == right.description else "",
    )


def widest(metas: Sequence[Meta]) -> Meta:
    """The type that holds the values of all."""
    found = metas[0]
    for meta in metas[1:]:
        found = wider(found, meta)
    return found


def choice(values: Sequence[Expression]) -> Meta:
    """The type of a value that is one of several; constants among them say nothing against unit and meaning."""
    found = widest([value.meta for value in values])
    varying = [value.meta for value in values if not isinstance(value, Constant)]
    if not varying or len(varying) == len(values):
        return found
    known = widest(varying)
    return replace(found, unit=known.unit, ucd=known.ucd, utype=known.utype, description=known.description)


def wider_datatype(left: str, right: str) -> str:
    """The VOTable datatype that holds both."""
    if left == right:
        return left
    if left in _INTEGERS and right in _INTEGERS:
        return max(left, right, key=_INTEGERS.index)
    if {left, right} == {"char", "unicodeChar"}:
        return "unicodeChar"
    return "double"


def calculated(left: Meta, right: Meta) -> Meta:
    """The type of a sum or product of numbers, without unit and description."""
    if left.kind is Kind.INTEGER and right.kind is Kind.INTEGER:
        return LONG if "long" in (left.datatype, right.datatype) else INT
    if left.datatype == right.datatype == "float":
        return Meta(Kind.FLOAT, "float")
    return DOUBLE


def with_statistic(meta: Meta, word: str) -> Meta:
    """The same, its UCD saying that it is a statistic of such values (`stat.max` ...)."""
    words = [] if not meta.ucd else [one for one in meta.ucd.split(";") if one != "meta.main"]
    ucd = ";".join([*words, word]) if words and word not in words else meta.ucd
    return replace(meta, ucd=ucd, utype=None)
