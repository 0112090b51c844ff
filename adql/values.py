"""Reads values and conditions: a precedence parser for both, since a parenthesis may begin either."""

from __future__ import annotations

from typing import Final, cast

from adql.errors import AdqlSyntaxError
from adql.lexer import Token
from adql.primaries import PrimaryParser
from adql.signatures import GEOMETRIES
from adql.tree import (
    And,
    Between,
    Binary,
    BinaryOperator,
    Call,
    Comparison,
    ComparisonOperator,
    Condition,
    Exists,
    Expression,
    InList,
    InQuery,
    IsNull,
    Like,
    Not,
    Null,
    Or,
    Unary,
)

OR, AND, COMPARISON, CONCATENATION, SUM, PRODUCT = range(1, 7)
_BINDING: Final = {
    "OR": OR,
    "AND": AND,
    **dict.fromkeys(
        ("=", "<>", "!=", "<", "<=", ">", ">=", "BETWEEN", "IN", "LIKE", "ILIKE", "IS", "NOT"), COMPARISON
    ),
    "||": CONCATENATION,
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
}
_COMPARISONS: Final = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_CONDITIONS: Final = (Comparison, Between, InList, InQuery, Like, IsNull, Exists, Not, And, Or)


class ValueParser(PrimaryParser):
    """Reads expressions and conditions; subqueries are read by the class that derives from it."""

    def expression(self) -> Expression:
        """Read a value.

        Raises
        ------
        AdqlSyntaxError
            If there is none, or if a condition stands in its place.
        """
        start = self.token
        return self._value(self._any(OR), start)

    def condition(self, clause: str = "") -> Condition:
        """Read a condition; in a `clause` that is named, aggregates are refused.

        Raises
        ------
        AdqlSyntaxError
            If there is none, or if a mere value stands in its place.
        """
        start = self.token
        before, self._clause = self._clause, clause
        found = self._condition(self._any(OR), start)
        self._clause = before
        return found

    def _value(self, node: Expression | Condition, start: Token) -> Expression:
        if isinstance(node, _CONDITIONS):
            raise AdqlSyntaxError(
                "a value is needed here, and this is a condition",
                start.position,
                self.written(start),
                "a condition stands in WHERE, HAVING, ON or CASE WHEN",
            )
        return node

    def _condition(self, node: Expression | Condition, start: Token) -> Condition:
        if isinstance(node, _CONDITIONS):
            return node
        if isinstance(node, Call) and node.name in ("CONTAINS", "INTERSECTS"):
            hint = f"{node.name} gives 1 or 0: write 1 = {node.name}(...)"
        else:
            hint = "compare it with something"
        raise AdqlSyntaxError(
            "a condition is needed here, and this is a value", start.position, self.written(start), hint
        )

    def _any(self, floor: int) -> Expression | Condition:
        """Read what binds at least as tightly as `floor`."""
        start = self.token
        left = self._prefix()
        while True:
            token = self.token
            binding = _BINDING.get(token.key, 0)
            if binding < floor or not binding:
                return left
            if binding >= CONCATENATION:
                self.advance()
                left = self._binary(token, left, start, self._any(binding + 1))
            elif binding == COMPARISON:
                left = self._predicate(self._value(left, start), start)
            else:
                left = self._junction(token.key, binding, left, start)

    def _prefix(self) -> Expression | Condition:
        token = self.token
        if token.key == "NOT":
            self.advance()
            start = self.token
            with self.nested():
                return Not(self._condition(self._any(COMPARISON), start), position=token.position)
        if token.key in ("+", "-"):
            self.advance()
            if self.token.key in ("+", "-"):
                raise self.unexpected("a value", suggestion="one sign is enough")
            operand = self._calculable(self._primary(), token)
            return Unary("-" if token.key == "-" else "+", operand, position=token.position)
        return self._primary()

    def _junction(self, key: str, binding: int, left: Expression | Condition, start: Token) -> Condition:
        terms = [self._condition(left, start)]
        while self.accept(key):
            term = self.token
            terms.append(self._condition(self._any(binding + 1), term))
        make = And if key == "AND" else Or
        flat = [inner for one in terms for inner in (one.terms if isinstance(one, make) else (one,))]
        return make(tuple(flat), position=start.position)

    def _binary(
        self, operator: Token, left: Expression | Condition, start: Token, right: Expression | Condition
    ) -> Binary:
        return Binary(
            cast("BinaryOperator", operator.key),
            self._calculable(left, start),
            self._calculable(right, operator),
            position=start.position,
        )

    def _calculable(self, node: Expression | Condition, start: Token) -> Expression:
        value = self._value(node, start)
        if isinstance(value, Null) or (isinstance(value, Call) and value.name in GEOMETRIES):
            what = "NULL" if isinstance(value, Null) else "a geometry"
            raise AdqlSyntaxError(
                f"nothing can be calculated with {what}", value.position, self.written(start)
            )
        return value

    def _predicate(self, left: Expression, start: Token) -> Condition:
        token = self.advance()
        position = start.position
        if token.key in _COMPARISONS:
            if self.token.key == "=":
                raise self.unexpected("a value", suggestion="equality is written with one =")
            operator = cast("ComparisonOperator", "<>" if token.key == "!=" else token.key)
            return Comparison(operator, left, self._operand(), position=position)
        if token.key == "IS":
            negated = self.accept("NOT")
            self.expect("NULL", "only IS NULL and IS NOT NULL can be asked")
            return IsNull(left, negated, position=position)
        negated = token.key == "NOT"
        if negated:
            token = self.token
            if token.key not in ("BETWEEN", "IN", "LIKE", "ILIKE"):
                raise self.unexpected("BETWEEN", "IN", "LIKE", "ILIKE")
            self.advance()
        if token.key == "BETWEEN":
            low = self._operand()
            self.expect("AND", "write BETWEEN low AND high")
            return Between(left, low, self._operand(), negated, position=position)
        if token.key == "IN":
            return self._membership(left, negated, position)
        return Like(left, self._operand(), negated, token.key == "ILIKE", position=position)

    def _operand(self) -> Expression:
        start = self.token
        return self._value(self._any(CONCATENATION), start)

    def _membership(self, left: Expression, negated: bool, position: int) -> Condition:
        if self.token.key != "(":
            raise self.unexpected("(", suggestion="write IN (value, ...) or IN (SELECT ...)")
        if self.opens_query():
            return InQuery(left, self.subquery(), negated, position=position)
        self.advance()
        with self.nested():
            values = [self.expression()]
            while self.accept(","):
                values.append(self.expression())
            self.expect(")")
        return InList(left, tuple(values), negated, position=position)

    def _parenthesis(self) -> Expression | Condition:
        if self.opens_query():
            raise AdqlSyntaxError(
                "a query cannot stand for a value in ADQL",
                self.token.position,
                "(",
                "join it as a derived table, or ask with IN or EXISTS",
            )
        self.advance()
        with self.nested():
            inner = self._any(OR)
            self.expect(")")
        return inner

    def _case_test(self, operand: Expression | None) -> Condition | Expression:
        start = self.token
        test = self._any(OR)
        return self._condition(test, start) if operand is None else self._value(test, start)
