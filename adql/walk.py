"""Walks over parsed trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from adql.errors import AdqlLimitError
from adql.tree import Case, Node, Query

TALLEST: Final = 120
"""Levels of a tree, so that whoever walks it does not run out of Python's stack."""
FEW_TOKENS: Final = 100
"""A query of so few tokens has no tree that tall."""

_NAMES: Final[dict[type[Node], tuple[str, ...]]] = {}


def check_height(query: Query) -> None:
    """Refuse a tree taller than `TALLEST`, without recursion.

    Raises
    ------
    AdqlLimitError
        At a node that is too deep.
    """
    level: list[Node] = [query]
    for _ in range(TALLEST):
        level = [child for node in level for child in children(node)]
        if not level:
            return
    raise AdqlLimitError(
        "the query is nested too deeply",
        level[0].position,
        suggestion="put parts of long sums and unions into parentheses or a WITH clause",
    )


def children(node: Node) -> Iterator[Node]:
    """The nodes right below one, in order."""
    kind = type(node)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in fields(kind) if field.name != "position")
    for name in names:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from value


def written_out(node: Node) -> int:
    """Nodes below one when every CASE with an operand is written as comparisons, each with a copy of the operand."""
    operand = node.operand if isinstance(node, Case) else None
    copies = len(node.branches) if isinstance(node, Case) else 1
    return 1 + sum(written_out(child) * (copies if child is operand else 1) for child in children(node))
