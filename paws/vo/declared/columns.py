"""Short ways to write down columns."""

from __future__ import annotations

from dataclasses import replace

from adql.catalogue import Column


def standard(column: Column, *, principal: bool = False, indexed: bool = False) -> Column:
    """A column that a standard defines."""
    return replace(column, std=True, principal=principal, indexed=indexed)


def text(name: str, ucd: str | None, description: str, utype: str | None = None) -> Column:
    """A column of ASCII text."""
    return Column(name, "char", "*", ucd=ucd, utype=utype, description=description)


def words(name: str, ucd: str | None, description: str, utype: str | None = None) -> Column:
    """A column of text that people wrote: in any language."""
    return Column(name, "unicodeChar", "*", ucd=ucd, utype=utype, description=description)


def time(name: str, ucd: str, description: str, utype: str | None = None) -> Column:
    """A column of times, UTC."""
    return Column(name, "char", "*", "timestamp", ucd=ucd, utype=utype, description=description)


def number(
    name: str,
    unit: str | None,
    ucd: str | None,
    description: str,
    utype: str | None = None,
    datatype: str = "double",
) -> Column:
    """A column of numbers."""
    return Column(name, datatype, unit=unit, ucd=ucd, utype=utype, description=description)


def important(column: Column, *, indexed: bool = False) -> Column:
    """A column of ours among the important ones."""
    return replace(column, principal=True, indexed=indexed)
