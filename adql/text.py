"""Writes a parsed tree as ADQL: what `adql.parse` reads back to an equal tree."""

from __future__ import annotations

from adql.tree import (
    Aggregate,
    AllColumns,
    And,
    Between,
    Binary,
    Boolean,
    Call,
    Case,
    Cast,
    ColumnReference,
    Comparison,
    Condition,
    DerivedTable,
    Exists,
    Expression,
    FromItem,
    InList,
    InQuery,
    IsNull,
    Join,
    Like,
    Not,
    Null,
    Number,
    Or,
    Query,
    QueryBody,
    QueryExpression,
    Select,
    SelectItem,
    SetOperation,
    String,
    TableReference,
    Unary,
    When,
)
from adql.words import literal

_STRENGTH = {"||": 1, "+": 2, "-": 2, "*": 3, "/": 3}
_SIGNED = 4
_PRIMARY = 5


def render(query: Query) -> str:
    """A query as text, on one line."""
    common = ", ".join(f"{one.name} AS ({_query(one.query)})" for one in query.common_tables)
    return f"WITH {common} {_query(query.expression)}" if common else _query(query.expression)


def _query(node: QueryExpression) -> str:
    text = _body(node.body)
    if node.order_by:
        terms = (f"{_expression(term.expression)}{' DESC' * term.descending}" for term in node.order_by)
        text += f" ORDER BY {', '.join(terms)}"
    return text if node.offset is None else f"{text} OFFSET {node.offset}"


def _body(node: QueryBody) -> str:
    match node:
        case Select():
            return _select(node)
        case QueryExpression():
            return f"({_query(node)})"
        case SetOperation():
            loose = node.operator != "INTERSECT"
            left = _operand(node.left, bare=loose or _is_intersect(node.left))
            right = _operand(node.right, bare=loose and _is_intersect(node.right))
            return f"{left} {node.operator}{' ALL' * node.all} {right}"


def _operand(node: QueryBody, *, bare: bool) -> str:
    text = _body(node)
    return f"({text})" if isinstance(node, SetOperation) and not bare else text


def _is_intersect(node: QueryBody) -> bool:
    return isinstance(node, SetOperation) and node.operator == "INTERSECT"


def _select(node: Select) -> str:
    parts = ["SELECT"]
    if node.distinct:
        parts.append("DISTINCT")
    if node.top is not None:
        parts.append(f"TOP {node.top}")
    parts.append(", ".join(map(_item, node.items)))
    parts.append(f"FROM {', '.join(map(_from_item, node.tables))}")
    if node.where is not None:
        parts.append(f"WHERE {_condition(node.where)}")
    if node.group_by:
        parts.append(f"GROUP BY {', '.join(map(_expression, node.group_by))}")
    if node.having is not None:
        parts.append(f"HAVING {_condition(node.having)}")
    return " ".join(parts)


def _item(node: AllColumns | SelectItem) -> str:
    if isinstance(node, AllColumns):
        return ".".join([*map(str, node.qualifier), "*"])
    return _expression(node.expression) + (f" AS {node.alias}" if node.alias is not None else "")


def _from_item(node: FromItem) -> str:
    match node:
        case TableReference():
            name = ".".join(map(str, node.parts))
            return f"{name} AS {node.alias}" if node.alias is not None else name
        case DerivedTable():
            return f"({_query(node.query)}) AS {node.alias}"
        case Join():
            right = f"({_from_item(node.right)})" if isinstance(node.right, Join) else _from_item(node.right)
            kind = f"{'NATURAL ' * node.natural}{'' if node.kind == 'INNER' else node.kind + ' '}JOIN"
            text = f"{_from_item(node.left)} {kind} {right}"
            if node.condition is not None:
                return f"{text} ON {_condition(node.condition)}"
            return f"{text} USING ({', '.join(map(str, node.using))})" if node.using else text


def _condition(node: Condition) -> str:
    match node:
        case Comparison():
            return f"{_expression(node.left)} {node.operator} {_expression(node.right)}"
        case Between():
            word = _negated(node.negated, "BETWEEN")
            return f"{_expression(node.operand)} {word} {_expression(node.low)} AND {_expression(node.high)}"
        case InList():
            values = ", ".join(map(_expression, node.values))
            return f"{_expression(node.operand)} {_negated(node.negated, 'IN')} ({values})"
        case InQuery():
            return f"{_expression(node.operand)} {_negated(node.negated, 'IN')} ({_query(node.query)})"
        case Like():
            word = _negated(node.negated, "ILIKE" if node.ignore_case else "LIKE")
            return f"{_expression(node.operand)} {word} {_expression(node.pattern)}"
        case IsNull():
            return f"{_expression(node.operand)} IS {'NOT ' * node.negated}NULL"
        case Exists():
            return f"EXISTS ({_query(node.query)})"
        case Not():
            inner = _condition(node.operand)
            return f"NOT ({inner})" if isinstance(node.operand, And | Or) else f"NOT {inner}"
        case And():
            return " AND ".join(
                f"({_condition(term)})" if isinstance(term, Or) else _condition(term) for term in node.terms
            )
        case Or():
            return " OR ".join(map(_condition, node.terms))


def _negated(negated: bool, word: str) -> str:
    return f"NOT {word}" if negated else word


def _expression(node: Expression, least: int = 0) -> str:
    """A value, in parentheses if it binds less tightly than `least`."""
    text, strength = _value(node)
    return text if strength >= least else f"({text})"


def _value(node: Expression) -> tuple[str, int]:
    match node:
        case Binary():
            strength = _STRENGTH[node.operator]
            right = _expression(node.right, strength + 1)
            return f"{_expression(node.left, strength)} {node.operator} {right}", strength
        case Unary():
            return f"{node.operator}{_expression(node.operand, _PRIMARY)}", _SIGNED
        case Number():
            return node.text, _PRIMARY
        case String():
            return literal(node.value), _PRIMARY
        case Boolean():
            return ("TRUE" if node.value else "FALSE"), _PRIMARY
        case Null():
            return "NULL", _PRIMARY
        case ColumnReference():
            return ".".join(map(str, node.parts)), _PRIMARY
        case Call():
            return f"{node.name}({', '.join(map(_expression, node.arguments))})", _PRIMARY
        case Aggregate():
            argument = "*" if node.argument is None else _expression(node.argument)
            return f"{node.name}({'DISTINCT ' * node.distinct}{argument})", _PRIMARY
        case Cast():
            length = f"({node.length})" if node.length is not None else ""
            return f"CAST({_expression(node.operand)} AS {node.target}{length})", _PRIMARY
        case Case():
            return _case(node), _PRIMARY


def _case(node: Case) -> str:
    parts = ["CASE"]
    if node.operand is not None:
        parts.append(_expression(node.operand))
    parts += [f"WHEN {_test(branch)} THEN {_expression(branch.result)}" for branch in node.branches]
    if node.otherwise is not None:
        parts.append(f"ELSE {_expression(node.otherwise)}")
    return " ".join([*parts, "END"])


def _test(branch: When) -> str:
    if isinstance(branch.test, Expression):
        return _expression(branch.test)
    return _condition(branch.test)
