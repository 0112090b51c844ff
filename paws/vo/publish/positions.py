"""Which two columns of a table are its positions: a decision with its reason, and warnings where it is doubtful."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from adql.catalogue import Column

Unit = Literal["deg", "rad", "hour"]

BY_NAME: Final = "names of the columns"
_DEGREES: Final = ("deg", "degree", "degrees", "degs", "[deg]", "°")
_RADIANS: Final = ("rad", "radian", "radians")
_HOURS: Final = ("h", "hr", "hour", "hours", "hourangle", "hrs", "[h]")
_NAME_PAIRS: Final = (
    ("ra", "dec"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("_raj2000", "_dej2000"),
    ("ra_j2000", "dec_j2000"),
    ("ra_icrs", "dec_icrs"),
    ("ra_icrs", "de_icrs"),
    ("raicrs", "deicrs"),
    ("ra_deg", "dec_deg"),
    ("ra_deg", "de_deg"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("s_ra", "s_dec"),
    ("alpha_j2000", "delta_j2000"),
    ("right_ascension", "declination"),
    ("rightascension", "declination"),
    ("ra2000", "dec2000"),
    ("ra2000", "de2000"),
    ("ramean", "decmean"),
    ("ra_mean", "dec_mean"),
    ("ra", "de"),
    ("ra", "decl"),
    ("alpha", "delta"),
)
"""What catalogues call right ascension and declination, in small letters; earlier pairs count first."""


@dataclass(frozen=True, slots=True)
class PositionChoice:
    """Position columns of a table.

    Attributes
    ----------
    ra, dec
        Names of the columns; empty when there are none.
    ra_unit, dec_unit
        What they are in.
    reason
        Why these, or why none.
    warnings
        What whoever publishes the table should know.
    """

    ra: str = ""
    dec: str = ""
    ra_unit: Unit = "deg"
    dec_unit: Unit = "deg"
    reason: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there are any."""
        return bool(self.ra)

    @property
    def in_degrees(self) -> bool:
        """Whether they can be indexed as they are."""
        return self.ra_unit == "deg" and self.dec_unit == "deg"


def choose_positions(columns: Sequence[Column]) -> PositionChoice:
    """Position columns of a table: by UCD first (the main ones, then the only ones), then by name."""
    for main in (True, False):
        ra, dec = _by_ucd(columns, "ra", main), _by_ucd(columns, "dec", main)
        if len(ra) == 1 and len(dec) == 1:
            return _checked(ra[0], dec[0], f"UCD {ra[0].ucd}", assured=True)
        if main and (len(ra) > 1 or len(dec) > 1):
            return PositionChoice(
                reason="several columns have the UCD of main positions",
                warnings=(
                    f"Several columns have the UCD pos.eq.ra;meta.main or pos.eq.dec;meta.main ({_names([*ra, *dec])}):"
                    " positions are not indexed. Leave meta.main with one pair of them.",
                ),
            )
    return _by_name(columns)


def _by_ucd(columns: Sequence[Column], axis: Literal["ra", "dec"], main: bool) -> list[Column]:
    """Columns whose UCD is an equatorial coordinate itself; errors and motions have other words first."""
    found = []
    for column in columns:
        words = (column.ucd or "").lower().split(";")
        old = words == [f"pos_eq_{axis}_main"]
        if (words[0] == f"pos.eq.{axis}" and (not main or "meta.main" in words)) or old:
            found.append(column)
    return found


def _by_name(columns: Sequence[Column]) -> PositionChoice:
    by_name: dict[str, Column] = {}
    for column in columns:
        by_name.setdefault(column.name.lower(), column)
    for names in _NAME_PAIRS:
        ra, dec = (by_name.get(name) for name in names)
        if ra is not None and dec is not None:
            return _checked(ra, dec, BY_NAME, assured=False)
    return PositionChoice(reason="no column is called or has the UCD of a position")


def _checked(ra: Column, dec: Column, reason: str, *, assured: bool) -> PositionChoice:
    for column in (ra, dec):
        if column.datatype not in ("double", "float", "short", "int", "long") or column.arraysize not in (
            None,
            "1",
        ):
            return PositionChoice(
                reason=f"{column.name} is no number",
                warnings=(
                    f"{_names([ra, dec])} look like positions, but {column.name} is {_kind(column)}: they are not indexed."
                    " Give degrees, as numbers.",
                ),
            )
    units = [_unit(column) for column in (ra, dec)]
    if units[0] is None or units[1] is None or units[1] == "hour":
        wrong = ra if units[0] is None else dec
        return PositionChoice(
            reason=f"the unit of {wrong.name} is {wrong.unit}",
            warnings=(
                f"{_names([ra, dec])} look like positions, but the unit {wrong.unit!r} of {wrong.name} is not one of"
                " angles on the sky: they are not indexed. Give degrees.",
            ),
        )
    warnings = tuple(
        f"{column.name} has no unit; degrees are assumed, as its {'UCD' if assured else 'name'} suggests."
        for column in (ra, dec)
        if not (column.unit or "").strip()
    )
    if any(column.datatype == "float" for column in (ra, dec)):
        warnings += (
            f"{_names([ra, dec])} are in single precision, which is good to 0.05 arcsec at best; double is better.",
        )
    return PositionChoice(ra.name, dec.name, units[0], units[1], reason, warnings)


def doubts(
    reason: str,
    ra_min: float | None,
    ra_max: float | None,
    dec_min: float | None,
    dec_max: float | None,
    missing: int,
) -> tuple[str, ...]:
    """What the values of positions in degrees give cause to doubt.

    Parameters
    ----------
    reason
        Why these columns are the positions.
    ra_min, ra_max, dec_min, dec_max
        Extent, degrees; None when there are no values.
    missing
        Rows without position.
    """
    rows = "1 row has" if missing == 1 else f"{missing:,} rows have"
    found = [f"{rows} no position."] if missing else []
    if ra_min is None or ra_max is None or dec_min is None or dec_max is None:
        return tuple(found)
    # Written so that NaN is outside.
    if not (-360 <= ra_min <= ra_max <= 720 and -90 <= dec_min <= dec_max <= 90):
        found.append(
            f"Positions reach outside the sphere: {ra_min:g} to {ra_max:g}, {dec_min:g} to {dec_max:g} degrees."
        )
    elif reason == BY_NAME and ra_min >= 0 and ra_max <= 24 and dec_max - dec_min > 30:
        found.append(
            f"Right ascensions end at {ra_max:g}: if they are hours, say so (unit h) and publish again."
        )
    return tuple(found)


def _kind(column: Column) -> str:
    return (
        "text"
        if column.datatype in ("char", "unicodeChar")
        else f"{column.datatype}[{column.arraysize or ''}]"
    )


def _unit(column: Column) -> Unit | None:
    unit = re.sub(r"\s", "", column.unit or "").lower().strip("'")
    if not unit or unit in _DEGREES:
        return "deg"
    if unit in _RADIANS:
        return "rad"
    return "hour" if unit in _HOURS else None


def _names(columns: Sequence[Column]) -> str:
    return " and ".join(column.name for column in columns)
