"""A result for the page without scripts: the JSON of the service, read back into rows for a template. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

_NUMBERS: Final = ("unsignedByte", "short", "int", "long", "float", "double")
_LINKS: Final = ("http://", "https://")


@dataclass(frozen=True)
class Shown:
    """A table as the page shows it.

    Attributes
    ----------
    columns
        Name, unit and description of each, and whether it holds numbers or links.
    rows
        Texts; empty for NULL.
    overflow
        Whether there is more.
    trouble
        Why it broke off; empty when it did not.
    """

    columns: tuple[Mapping[str, Any], ...]
    rows: tuple[tuple[str, ...], ...]
    overflow: bool
    trouble: str = ""


def shown(answer: bytes) -> Shown:
    """Read an answer in JSON."""
    found = orjson.loads(answer)
    columns = tuple(
        {
            "name": column["name"],
            "unit": column.get("unit") or "",
            "about": column.get("description") or "",
            "number": column["datatype"] in _NUMBERS and not column.get("arraysize"),
            "link": "meta.ref.url" in (column.get("ucd") or ""),
        }
        for column in found["metadata"]
    )
    rows = tuple(tuple(_text(value) for value in row) for row in found["data"])
    status = found.get("status", "OK")
    return Shown(columns, rows, status == "OVERFLOW", found.get("message", "") if status == "ERROR" else "")


def is_link(column: Mapping[str, Any], text: str) -> bool:
    """Whether a cell leads somewhere. Only to the web: what is in a table may be hostile."""
    return bool(column["link"]) and text.startswith(_LINKS)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(_text(part) for part in value) if isinstance(value, list) else str(value)
