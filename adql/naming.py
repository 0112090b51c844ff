"""Names of output columns that were given none, or one that another has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adql import tree
from adql.typed import Output
from adql.words import RESERVED


def default_name(node: tree.Expression, number: int) -> str:
    """A name for an expression without one: of its function and column where that is simple, else of its place.

    Examples
    --------
    ``max_mag`` for ``MAX(mag)``, ``count_all`` for ``COUNT(*)``, ``column_3`` for ``a + b``.
    """
    match node:
        case tree.Aggregate(argument=None):
            return "count_all"
        case tree.Aggregate():
            assert node.argument is not None
            return f"{node.name.lower()}_{_column(node.argument) or 'value'}"
        case tree.Call():
            column = _column(node.arguments[0]) if node.arguments else None
            if column:
                return f"{node.name.lower()}_{column}"
            return node.name if node.name.upper() not in RESERVED else f"{node.name.lower()}_value"
        case tree.Cast():
            return _column(node.operand) or f"column_{number}"
        case _:
            return f"column_{number}"


def _column(node: tree.Expression) -> str | None:
    return node.parts[-1].text if isinstance(node, tree.ColumnReference) else None


def alone(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """The columns, each with a name that no other has in any case of letters: later ones get a number."""
    taken = {output.name.lower() for output in outputs}
    given: set[str] = set()
    found = []
    for output in outputs:
        name, number = output.name, 1
        while name.lower() in given:
            number += 1
            candidate = f"{output.name}_{number}"
            name = candidate if candidate.lower() not in taken else output.name
        given.add(name.lower())
        found.append(replace(output, name=name))
    return tuple(found)
