"""Metadata of columns in the YAML that astropy writes: at the head of ECSV files, and in Parquet's own metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import yaml

from adql.catalogue import Column

_LONGEST: Final = 200_000
"""Characters that are looked at: two hundred for each of a thousand columns."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """Plain values; objects of other programs are nothing, and nothing is said twice by reference."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse references, by which a few lines can stand for more than any memory holds."""
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("references are not read")
        return super().compose_node(parent, index)


_Loader.add_multi_constructor("!", lambda *_: None)


def yaml_columns(text: str) -> dict[str, dict[str, Any]]:
    """Descriptions of columns by name; nothing if the text is no such YAML.

    Metadata are a help, no condition: what is wrong with them is no reason to refuse a table.
    """
    try:
        found = yaml.load(text[:_LONGEST], _Loader)  # noqa: S506 - a SafeLoader, and less
    except Exception:  # PyYAML raises nearly anything over what is no YAML
        return {}
    entries = found.get("datatype") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        return {}
    named = (entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str))
    return {entry["name"]: entry for entry in named}


def completed(column: Column, entry: dict[str, Any]) -> Column:
    """A column with the unit, UCD and description of its entry."""
    meta = entry.get("meta")
    more = {**(meta if isinstance(meta, dict) else {}), **entry}
    known: dict[str, Any] = {
        key: value[:10_000]
        for key in ("unit", "ucd", "utype", "description")
        if isinstance(value := more.get(key), str) and value
    }
    return replace(column, **known) if known else column
