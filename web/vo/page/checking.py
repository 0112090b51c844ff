"""What is wrong with a query, with the place in it and the likely fix, as the page's scripts read it. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from adql import Backend, compile_query
from adql.catalogue import Catalogue
from adql.errors import AdqlError

_MEANT: Final = re.compile(r"did you mean (.+?)\?")
_BETWEEN: Final = re.compile(r" or |, ")
_UPLOADS: Final = re.compile(r"\bTAP_UPLOAD\b", re.IGNORECASE)


def checked(query: str, catalogue: Catalogue, backend: Backend) -> dict[str, Any]:
    """Whether a query can be run: its columns and warnings, or what is wrong.

    Queries of uploaded tables are not checked: what is in the table is not known before it comes.
    """
    if _UPLOADS.search(query):
        return {"fine": True, "columns": [], "warnings": []}
    try:
        compiled = compile_query(query, catalogue, backend)
    except AdqlError as error:
        return {"fine": False, **told(error, query)}
    return {
        "fine": True,
        "columns": [column.name for column in compiled.columns],
        "warnings": list(compiled.warnings),
    }


def told(error: AdqlError, query: str) -> dict[str, Any]:
    """An error: its words, its place, and what may have been meant there, likeliest first.

    Place and length are counted in UTF-16 units, as scripts count the letters of a text.
    """
    place = error.position
    there = place is not None and bool(error.token) and query.startswith(error.token, place)
    return {
        "text": str(error)[:1].upper() + str(error)[1:],
        "message": error.message,
        "suggestion": error.suggestion,
        "position": None if place is None else _units(query[:place]),
        "length": _units(error.token) if there else 0,
        "replacements": _meant(error.suggestion) if there else [],
    }


def mended(query: str, error: dict[str, Any]) -> list[tuple[str, str]]:
    """What may have been meant in the place of what was written, each with the query that it would make."""
    if not error.get("replacements"):
        return []
    units = query.encode("utf-16-le", "surrogatepass")
    start, end = 2 * error["position"], 2 * (error["position"] + error["length"])
    before, after = (part.decode("utf-16-le", "surrogatepass") for part in (units[:start], units[end:]))
    return [(put, f"{before}{put}{after}") for put in error["replacements"]]


def _meant(suggestion: str) -> list[str]:
    meant = _MEANT.search(suggestion)
    return [] if meant is None else [one.strip() for one in _BETWEEN.split(meant.group(1)) if one.strip()]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
