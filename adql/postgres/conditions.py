"""Conditions: from the typed tree to SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from adql.postgres import literals, predicates
from adql.postgres.values import as_text
from adql.typed import (
    And,
    Between,
    Comparison,
    Condition,
    Constant,
    Exists,
    InList,
    InQuery,
    IsNull,
    Like,
    Not,
    Or,
)

if TYPE_CHECKING:
    from adql.postgres.writer import Writer


def condition(writer: Writer, node: Condition, *, filters: bool) -> str:
    """SQL of a condition; see `Writer.condition`."""
    match node:
        case And():
            return f"({' AND '.join(condition(writer, term, filters=filters) for term in node.terms)})"
        case Or():
            return f"({' OR '.join(condition(writer, term, filters=filters) for term in node.terms)})"
        case Not():
            return f"(NOT {condition(writer, node.operand, filters=False)})"
        case Comparison():
            special = predicates.comparison(writer, node, filters=filters)
            if special is not None:
                return special
            return f"({writer.value(node.left)} {node.operator} {writer.value(node.right)})"
        case Between():
            index = predicates.between(writer, node) if filters and not node.negated else []
            sql = (
                f"({writer.value(node.operand)} {_not(node.negated)}BETWEEN "
                f"{writer.value(node.low)} AND {writer.value(node.high)})"
            )
            return f"({' AND '.join([*index, sql])})" if index else sql
        case InList():
            listed = ", ".join(writer.value(one) for one in node.values)
            return f"({writer.value(node.operand)} {_not(node.negated)}IN ({listed}))"
        case InQuery():
            return f"({writer.value(node.operand)} {_not(node.negated)}IN ({writer.query(node.query)}))"
        case Like():
            return _like(writer, node)
        case IsNull():
            return f"({writer.value(node.operand)} IS {_not(node.negated)}NULL)"
        case Exists():
            return f"EXISTS ({writer.query(node.query)})"
        case _:
            assert_never(node)


def _not(negated: bool) -> str:
    return "NOT " if negated else ""


def _like(writer: Writer, node: Like) -> str:
    operator = "ILIKE" if node.ignore_case else "LIKE"
    operand = as_text(writer, node.operand)
    # ADQL's patterns have no escape character; PostgreSQL's is the backslash.
    if isinstance(node.pattern, Constant) and isinstance(node.pattern.value, str):
        pattern = literals.text(node.pattern.value.replace("\\", "\\\\"))
    else:
        pattern = f"{as_text(writer, node.pattern)} ESCAPE ''"
    return f"({operand} {_not(node.negated)}{operator} {pattern})"
