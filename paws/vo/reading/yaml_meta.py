"""Metadata of columns in the YAML that astropy writes: at the head of ECSV files, and in Parquet's own metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from adql.catalogue import Column

_LONGEST = 1_000_000


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """Plain values; objects of other programs are nothing."""


_Loader.add_multi_constructor("!", lambda *_: None)


def yaml_columns(text: str) -> dict[str, dict[str, Any]]:
    """Descriptions of columns by name; nothing if the text is no such YAML.

    Metadata are a help, no condition: what is wrong with them is no reason to refuse a table.
    """
    try:
        found = yaml.load(text[:_LONGEST], _Loader)  # noqa: S506 - a SafeLoader, and less
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    entries = found.get("datatype") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        return {}
    return {str(entry["name"]): entry for entry in entries if isinstance(entry, dict) and "name" in entry}


def completed(column: Column, entry: dict[str, Any]) -> Column:
    """A column with the unit, UCD and description of its entry."""
    meta = entry.get("meta")
    more = {**(meta if isinstance(meta, dict) else {}), **entry}
    known: dict[str, Any] = {
        key: str(more[key])[:10_000] for key in ("unit", "ucd", "utype", "description") if more.get(key)
    }
    return replace(column, **known) if known else column
