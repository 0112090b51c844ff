"""Which values belong to a group of rows, and which to a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from adql.functions import FUNCTIONS
from adql.typed import (
    Aggregate,
    And,
    Arithmetic,
    Between,
    Call,
    Case,
    Cast,
    ColumnValue,
    Comparison,
    Condition,
    Constant,
    Exists,
    Expression,
    InList,
    InQuery,
    IsNull,
    Like,
    Negation,
    Not,
    Or,
)


def is_aggregate(node: Expression | Condition) -> bool:
    """Whether a value is of a group of rows by itself."""
    return isinstance(node, Aggregate) or (isinstance(node, Call) and FUNCTIONS[node.name].aggregate)


def has_aggregate(node: Expression | Condition) -> bool:
    """Whether there is an aggregate in a value or condition."""
    return is_aggregate(node) or any(has_aggregate(part) for part in parts(node))


def ungrouped(
    node: Expression | Condition, groups: Sequence[Expression], sources: Collection[int]
) -> ColumnValue | None:
    """A column in a value of a grouped query that is neither grouped by nor in an aggregate; None if there is none.

    Parameters
    ----------
    groups
        The terms of GROUP BY.
    sources
        The `id` of each table of this FROM; columns of queries around are constants.
    """
    if is_aggregate(node) or node in groups:
        return None
    if isinstance(node, ColumnValue):
        return node if id(node.source) in sources else None
    for part in parts(node):
        found = ungrouped(part, groups, sources)
        if found is not None:
            return found
    return None


def parts(node: Expression | Condition) -> Iterator[Expression | Condition]:
    """The values and conditions right within one; those of subqueries are not counted in."""
    match node:
        case Constant() | ColumnValue() | Exists():
            return
        case Negation() | Cast() | IsNull() | Not():
            yield node.operand
        case Arithmetic() | Comparison():
            yield node.left
            yield node.right
        case Call():
            yield from node.arguments
        case Aggregate():
            if node.argument is not None:
                yield node.argument
        case Case():
            for condition, result in node.branches:
                yield condition
                yield result
            if node.otherwise is not None:
                yield node.otherwise
        case Between():
            yield from (node.operand, node.low, node.high)
        case InList():
            yield node.operand
            yield from node.values
        case InQuery():
            yield node.operand
        case Like():
            yield from (node.operand, node.pattern)
        case And() | Or():
            yield from node.terms
