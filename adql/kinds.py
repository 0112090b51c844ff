"""Kinds of values, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What can be done with a value."""

    INTEGER = "integer"
    FLOAT = "number"
    STRING = "text"
    BOOLEAN = "truth value"
    TIMESTAMP = "time"
    POINT = "point"
    CIRCLE = "circle"
    POLYGON = "polygon"
    REGION = "region"
    """A geometry of a kind known only from its value: a column with xtype `region`, a choice between kinds."""
    ARRAY = "array"
    """Arrays other than geometries: intervals, spectra in a cell. They can be selected and counted."""
    NULL = "NULL"
    """NULL itself; goes with everything."""

    @property
    def named(self) -> str:
        """With its article, for messages."""
        word = str(self.value)
        if self is Kind.NULL:
            return word
        return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"

    @property
    def numeric(self) -> bool:
        """Whether one can calculate with it."""
        return self in (Kind.INTEGER, Kind.FLOAT)

    @property
    def geometric(self) -> bool:
        """Whether it has a place on the sky."""
        return self in (Kind.POINT, Kind.CIRCLE, Kind.POLYGON, Kind.REGION)


@dataclass(frozen=True, slots=True)
class Meta:
    """The type of a value and what is known of it, in VOTable's terms.

    `datatype` is one of boolean, short, int, long, float, double, char, unicodeChar.
    """

    kind: Kind
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str = ""
