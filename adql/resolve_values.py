"""Values and conditions: names looked up, types found and checked."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Final, Literal

from adql import metas, tree, units
from adql.coercion import check_time, together
from adql.errors import AdqlLimitError, AdqlTypeError
from adql.function import Function
from adql.nulls import retyped
from adql.resolve_calls import (
    called,
    check_arguments,
    function_of,
    in_unit,
    points_for_numbers,
    without_system,
)
from adql.scope import Scope
from adql.typed import (
    Aggregate,
    And,
    Arithmetic,
    Between,
    Case,
    Cast,
    Comparison,
    Condition,
    Constant,
    Exists,
    Expression,
    InList,
    InQuery,
    IsNull,
    Kind,
    Like,
    Meta,
    Negation,
    Not,
    Or,
    QueryExpression,
)
from adql.walk import written_out

_LARGEST_INT: Final = 2**31 - 1
_LARGEST_LONG: Final = 2**63 - 1
_MOST_COPIED: Final = 50_000
"""Nodes of the copies of one operand of CASE."""
_STATISTICS: Final = {"MIN": "stat.min", "MAX": "stat.max", "AVG": "stat.mean", "SUM": "arith.sum"}
_ORDERED: Final = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.STRING, Kind.TIMESTAMP, Kind.BOOLEAN, Kind.NULL})
_TARGETS: Final = {
    "SMALLINT": Meta(Kind.INTEGER, "short"),
    "INTEGER": metas.INT,
    "BIGINT": metas.LONG,
    "REAL": Meta(Kind.FLOAT, "float"),
    "DOUBLE PRECISION": metas.DOUBLE,
    "TIMESTAMP": metas.TIMESTAMP,
    "POINT": metas.POINT,
    "CIRCLE": metas.CIRCLE,
    "POLYGON": metas.POLYGON,
}


class ValueResolver(ABC):
    """Resolves values and conditions; queries within them are resolved by the class that derives from it."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    @abstractmethod
    def subquery(self, node: tree.QueryExpression, scope: Scope) -> QueryExpression:
        """Resolve a query within a condition."""

    def expression(self, node: tree.Expression, scope: Scope) -> Expression:
        """A value with its type.

        Raises
        ------
        AdqlNameError
            If a name in it means nothing, or several things.
        AdqlTypeError
            If its parts do not go together.
        """
        match node:
            case tree.ColumnReference():
                return scope.column(node).expression
            case tree.Number():
                return number(node)
            case tree.String():
                return Constant(node.value, replace(metas.TEXT, datatype=_character(node.value)))
            case tree.Null():
                return Constant(None, metas.NULL)
            case tree.Boolean():
                return Constant(node.value, metas.BOOLEAN)
            case tree.Unary():
                return self._signed(node, scope)
            case tree.Binary():
                return self._binary(node, scope)
            case tree.Call():
                return self._call(node, scope)
            case tree.Aggregate():
                return self._aggregate(node, scope)
            case tree.Cast():
                return self._cast(node, scope)
            case tree.Case():
                return self._case(node, scope)

    def condition(self, node: tree.Condition, scope: Scope) -> Condition:
        """A condition whose values go together.

        Raises
        ------
        AdqlNameError, AdqlTypeError
            As `expression` does.
        """
        match node:
            case tree.Comparison():
                left, right = self._pair(node.left, node.right, scope)
                if left.meta.kind not in _ORDERED and node.operator not in ("=", "<>"):
                    raise AdqlTypeError(
                        f"there is no smaller or larger {left.meta.kind.value}", node.position
                    )
                if Kind.ARRAY in (left.meta.kind, right.meta.kind):
                    raise AdqlTypeError("arrays cannot be compared", node.position)
                return Comparison(node.operator, left, right)
            case tree.And():
                return And(tuple(self.condition(term, scope) for term in node.terms))
            case tree.Or():
                return Or(tuple(self.condition(term, scope) for term in node.terms))
            case tree.Not():
                return Not(self.condition(node.operand, scope))
            case tree.Between():
                return self._between(node, scope)
            case tree.InList():
                return self._in_list(node, scope)
            case tree.InQuery():
                return self._in_query(node, scope)
            case tree.Like():
                operand = self._text(node.operand, scope, "LIKE")
                pattern = self._text(node.pattern, scope, "LIKE")
                return Like(operand, pattern, node.negated, node.ignore_case)
            case tree.IsNull():
                return IsNull(self.expression(node.operand, scope), node.negated)
            case tree.Exists():
                return Exists(self.subquery(node.query, scope))

    def _pair(
        self, left: tree.Expression, right: tree.Expression, scope: Scope
    ) -> tuple[Expression, Expression]:
        return together(
            self.expression(left, scope), self.expression(right, scope), right.position, "compared"
        )

    def _between(self, node: tree.Between, scope: Scope) -> Between:
        operand = self.expression(node.operand, scope)
        bounds = []
        for bound in (node.low, node.high):
            operand, right = together(operand, self.expression(bound, scope), bound.position, "compared")
            if operand.meta.kind not in _ORDERED:
                raise AdqlTypeError(f"nothing lies between two of {operand.meta.kind.value}", node.position)
            bounds.append(right)
        return Between(operand, bounds[0], bounds[1], node.negated)

    def _in_list(self, node: tree.InList, scope: Scope) -> InList:
        operand = self.expression(node.operand, scope)
        values = []
        for written in node.values:
            operand, value = together(operand, self.expression(written, scope), written.position, "compared")
            values.append(value)
        return InList(operand, tuple(values), node.negated)

    def _in_query(self, node: tree.InQuery, scope: Scope) -> InQuery:
        operand = self.expression(node.operand, scope)
        query = self.subquery(node.query, scope)
        if len(query.outputs) != 1:
            raise AdqlTypeError(
                f"a query after IN has one column, not {len(query.outputs)}", node.query.position
            )
        meta = query.outputs[0].meta
        if not metas.go_together(operand.meta.kind, meta.kind):
            raise AdqlTypeError(
                f"{operand.meta.kind.named} is no {meta.kind.value}, which the query after IN gives",
                node.position,
            )
        return InQuery(operand, retyped(query, [operand.meta]), node.negated)

    def _text(self, node: tree.Expression, scope: Scope, what: str) -> Expression:
        value = self.expression(node, scope)
        if value.meta.kind not in (Kind.STRING, Kind.NULL):
            raise AdqlTypeError(
                f"{what} needs a text, not {value.meta.kind.named}",
                node.position,
                suggestion="write CAST(value AS VARCHAR)",
            )
        return value

    def _number(self, node: tree.Expression, scope: Scope) -> Expression:
        value = self.expression(node, scope)
        if not value.meta.kind.numeric and value.meta.kind is not Kind.NULL:
            hint = "write CAST(text AS DOUBLE PRECISION)" if value.meta.kind is Kind.STRING else ""
            raise AdqlTypeError(
                f"a number is needed to calculate, not {value.meta.kind.named}",
                node.position,
                suggestion=hint,
            )
        return value

    def _signed(self, node: tree.Unary, scope: Scope) -> Expression:
        operand = self._number(node.operand, scope)
        if node.operator == "+":
            return operand
        if isinstance(operand, Constant) and isinstance(operand.value, int | float):
            return Constant(-operand.value, operand.meta)
        return Negation(operand, operand.meta)

    def _binary(self, node: tree.Binary, scope: Scope) -> Expression:
        if node.operator == "||":
            left, right = (self._joinable(side, scope) for side in (node.left, node.right))
            unicode = "unicodeChar" in (left.meta.datatype, right.meta.datatype)
            meta = replace(metas.TEXT, datatype="unicodeChar" if unicode else "char")
            return Arithmetic("||", left, right, meta)
        left, right = self._number(node.left, scope), self._number(node.right, scope)
        return Arithmetic(node.operator, left, right, arithmetic_meta(node.operator, left, right))

    def _joinable(self, node: tree.Expression, scope: Scope) -> Expression:
        value = self.expression(node, scope)
        kind = value.meta.kind
        if kind in (Kind.STRING, Kind.NULL):
            return value
        if kind.geometric or kind is Kind.ARRAY:
            raise AdqlTypeError(f"{kind.named} cannot be joined to a text", node.position)
        return Cast(value, "VARCHAR", None, replace(metas.TEXT, datatype="char"))

    def _call(self, node: tree.Call, scope: Scope) -> Expression:
        if node.name == "IN_UNIT":
            unit = node.arguments[1]
            assert isinstance(unit, tree.String), "the parser takes nothing else"
            return in_unit(self.expression(node.arguments[0], scope), unit.value.strip(), node.position)
        function = function_of(node)
        written = without_system(node, self.warnings)
        arguments = tuple(self.expression(argument, scope) for argument in written)
        arguments = points_for_numbers(function.name, arguments)
        self._check_circle(function, arguments, node)
        return called(function, check_arguments(function, arguments, node.position), node.position)

    def _check_circle(self, function: Function, arguments: tuple[Expression, ...], node: tree.Call) -> None:
        radius = arguments[-1] if function.name == "CIRCLE" and len(arguments) == 2 else None
        value = radius.value if isinstance(radius, Constant) else None
        if isinstance(value, int | float) and not 0 <= value <= 180:
            raise AdqlTypeError(
                "the radius of a circle lies between 0 and 180 degrees", node.position, "CIRCLE"
            )

    def _aggregate(self, node: tree.Aggregate, scope: Scope) -> Aggregate:
        if node.argument is None:
            return Aggregate("COUNT", None, False, replace(metas.LONG, ucd="meta.number"))
        argument = self.expression(node.argument, scope)
        kind = argument.meta.kind
        if node.name == "COUNT":
            return Aggregate("COUNT", argument, node.distinct, replace(metas.LONG, ucd="meta.number"))
        summed = node.name in ("AVG", "SUM")
        if (summed and not kind.numeric and kind is not Kind.NULL) or kind not in _ORDERED - {Kind.BOOLEAN}:
            raise AdqlTypeError(
                f"{node.name} needs {'numbers' if summed else 'numbers, texts or times'}, not {kind.named}",
                node.position,
                node.name,
            )
        meta = metas.with_statistic(argument.meta, _STATISTICS[node.name])
        if node.name == "AVG":
            meta = replace(meta, kind=Kind.FLOAT, datatype="double", arraysize=None, xtype=None)
        elif node.name == "SUM":
            whole = kind is Kind.INTEGER
            meta = replace(
                meta, kind=Kind.INTEGER if whole else Kind.FLOAT, datatype="long" if whole else "double"
            )
        return Aggregate(node.name, argument, node.distinct, meta)

    def _cast(self, node: tree.Cast, scope: Scope) -> Expression:
        operand = self.expression(node.operand, scope)
        target = _cast_meta(operand.meta, node)
        source = operand.meta.kind
        if not _castable(source, target.kind):
            raise AdqlTypeError(f"{source.named} cannot be made {target.kind.named}", node.position, "CAST")
        if target.kind is Kind.TIMESTAMP and isinstance(operand, Constant) and isinstance(operand.value, str):
            check_time(operand.value, node.operand.position)
        if source.numeric and target.kind.numeric:
            target = replace(
                target, unit=operand.meta.unit, ucd=operand.meta.ucd, description=operand.meta.description
            )
        return Cast(operand, node.target, node.length, target)

    def _case(self, node: tree.Case, scope: Scope) -> Case:
        if node.operand is not None and len(node.branches) * written_out(node.operand) > _MOST_COPIED:
            raise AdqlLimitError(
                "the operand of this CASE is too large, as it is compared with every branch",
                node.position,
                "CASE",
                "name it in an inner query, or write CASE WHEN with conditions",
            )
        branches = []
        for branch in node.branches:
            test = branch.test
            if isinstance(test, tree.Expression):
                assert node.operand is not None, "values stand after CASE operand alone"
                test = tree.Comparison("=", node.operand, test, position=branch.position)
            branches.append((self.condition(test, scope), self.expression(branch.result, scope)))
        otherwise = self.expression(node.otherwise, scope) if node.otherwise is not None else None
        results = [result for _, result in branches] + ([otherwise] if otherwise is not None else [])
        try:
            meta = metas.choice(results)
        except AdqlTypeError as error:
            error.position, error.token = node.position, "CASE"
            raise
        return Case(tuple(branches), otherwise, meta)


def number(node: tree.Number) -> Constant:
    """A literal number: an integer where it is one of 64 bits, else a double.

    Raises
    ------
    AdqlTypeError
        If it is larger than any double.
    """
    text = node.text
    hexadecimal = text[:2].lower() == "0x"
    if (hexadecimal and len(text) <= 18) or (text.isdecimal() and len(text) <= 19):
        value = int(text, 0 if hexadecimal else 10)
        if value <= _LARGEST_LONG:
            return Constant(value, metas.INT if value <= _LARGEST_INT else metas.LONG)
    real = math.inf if hexadecimal else float(text)
    if math.isinf(real):
        raise AdqlTypeError("this number is too large", node.position, text)
    return Constant(real, metas.DOUBLE)


def arithmetic_meta(operator: Literal["+", "-", "*", "/", "||"], left: Expression, right: Expression) -> Meta:
    """The type of a sum, difference, product or quotient, with its unit where it can be told."""
    base = metas.calculated(left.meta, right.meta)
    if operator == "*":
        unit = units.product(left.meta.unit, right.meta.unit)
    elif operator == "/":
        unit = units.quotient(left.meta.unit, right.meta.unit)
    else:
        unit = _same_or_of_the_other(left, right, left.meta.unit, right.meta.unit)
    inverted = operator == "/" and isinstance(left, Constant)
    ucd = None if inverted else _same_or_of_the_other(left, right, left.meta.ucd, right.meta.ucd)
    if operator in ("*", "/") and not isinstance(left, Constant) and not isinstance(right, Constant):
        ucd = None
    return replace(base, unit=unit, ucd=ucd)


def _same_or_of_the_other(
    left: Expression, right: Expression, of_left: str | None, of_right: str | None
) -> str | None:
    """What both agree on; a constant agrees with everything."""
    if isinstance(left, Constant):
        return of_right
    if isinstance(right, Constant) or of_left == of_right:
        return of_left
    return None


def _character(text: str) -> str:
    return "char" if text.isascii() else "unicodeChar"


def _cast_meta(operand: Meta, node: tree.Cast) -> Meta:
    if node.target in ("CHAR", "VARCHAR"):
        datatype = operand.datatype if operand.kind is Kind.STRING else "char"
        return replace(metas.TEXT, datatype=datatype, arraysize=f"{node.length}*" if node.length else "*")
    return _TARGETS[node.target]


def _castable(source: Kind, target: Kind) -> bool:
    if source is Kind.NULL or source is target:
        return True
    if target is Kind.STRING:
        return source is not Kind.ARRAY
    if target.numeric:
        return source.numeric or source in (Kind.STRING, Kind.BOOLEAN)
    return source is Kind.STRING or (source is Kind.REGION and target.geometric)
