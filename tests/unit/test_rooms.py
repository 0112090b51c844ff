"""Imports point one way: the plan of the house, held by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "schemas": set(),
    "adql": set(),
    "paws": {"schemas", "adql"},
    "quicklook": set(),
    "simulator": set(),
    "agents": {"schemas", "paws", "adql"},
    "web": {"schemas", "paws", "adql"},
}
ENGINES = ROOT / "agents" / "reducer" / "engines"
"""The only place that knows quicklook."""


MATCHING = ROOT / "paws" / "matching"


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def imported_rooms(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_names(path)} & MAY_IMPORT.keys()


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room):
    for path in (ROOT / room).rglob("*.py"):
        allowed = MAY_IMPORT[room] | {room} | ({"quicklook"} if path.is_relative_to(ENGINES) else set())
        assert imported_rooms(path) <= allowed, path.relative_to(ROOT)


def test_matching_is_pure():
    """Live, offline and archive pages share these rules: they know neither a database nor a broker."""
    allowed = {"clock", "engines", "matching", "settings"}
    for path in MATCHING.glob("*.py"):
        known = {name.split(".")[1] for name in imported_names(path) if name.startswith("paws.")}
        assert known <= allowed, path.relative_to(ROOT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_modules_have_one_idea(room):
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / room).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_nothing_large_or_foreign_is_kept():
    kept = [path for room in MAY_IMPORT for path in (ROOT / room).rglob("*") if path.is_file()]
    sources = [path for path in kept if "__pycache__" not in path.parts]
    assert [path for path in sources if path.stat().st_size > 1_000_000] == []
    assert [path for path in sources if path.name.endswith((".min.js", ".bundle.js"))] == []
