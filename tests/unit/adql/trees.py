"""Any tree that the parser can give, for property tests, and the way into a resolved one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from adql import tree, typed
from adql.words import is_regular

_some = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_identifiers = st.builds(
    tree.Identifier, st.text("abcxyzABC_019", min_size=1, max_size=5).filter(is_regular)
) | st.builds(tree.Identifier, st.text(_some, min_size=1, max_size=5), st.just(True))
_numbers = st.builds(
    tree.Number,
    st.sampled_from(["0", "7", "12.50", ".5", "3.", "1e5", "2.5E-3", "0x1F", "12345678901234567890"]),
)
_texts = st.builds(tree.String, st.text(_some, max_size=6))


class Trees:
    """Draws nodes, each at most `depth` levels above leaves.

    Parameters
    ----------
    draw
        Of a composite strategy.
    """

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one_of(self, *makers: Any) -> Any:
        return self.draw(st.sampled_from(makers))()

    def flag(self) -> bool:
        return bool(self.draw(st.booleans()))

    def maybe(self, make: Any) -> Any:
        return make() if self.flag() else None

    def some(self, make: Any, least: int, most: int) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.draw(st.integers(least, most))))

    def identifier(self) -> tree.Identifier:
        return self.draw(_identifiers)

    def column(self) -> tree.ColumnReference:
        return tree.ColumnReference(self.some(self.identifier, 1, 4))

    def value(self, depth: int) -> tree.Expression:
        leaves = (self.column, lambda: self.draw(_numbers), lambda: self.draw(_texts))
        if depth == 0:
            return self.one_of(*leaves)
        return self.one_of(*leaves, *(lambda make=make: make(depth - 1) for make in self.composed))

    def signed(self, depth: int) -> tree.Expression:
        operand = self.value(depth)
        return (
            operand
            if isinstance(operand, tree.Unary)
            else tree.Unary(self.draw(st.sampled_from("+-")), operand)
        )

    def binary(self, depth: int) -> tree.Expression:
        operator = self.draw(st.sampled_from(["+", "-", "*", "/", "||"]))
        return tree.Binary(operator, self.value(depth), self.value(depth))

    def call(self, depth: int) -> tree.Expression:
        name, count = self.draw(
            st.sampled_from([("ABS", 1), ("UPPER", 1), ("POWER", 2), ("COALESCE", 3), ("PI", 0)])
        )
        return tree.Call(name, self.some(lambda: self.value(depth), count, count))

    def user_defined(self, depth: int) -> tree.Expression:
        return tree.Call("ivo_any", self.some(lambda: self.value(depth), 0, 3), user_defined=True)

    def contains(self, depth: int) -> tree.Expression:
        return tree.Call("CONTAINS", (self.geometry(depth), self.geometry(depth)))

    def in_unit(self, depth: int) -> tree.Expression:
        return tree.Call("IN_UNIT", (self.value(depth), self.draw(_texts)))

    def geometry(self, depth: int) -> tree.Expression:
        def point() -> tree.Call:
            return tree.Call("POINT", (self.value(depth), self.value(depth)))

        def circle() -> tree.Call:
            system = self.maybe(lambda: self.draw(_texts))
            centre = (self.value(depth), self.value(depth)) if system is not None else (point(),)
            return tree.Call(
                "CIRCLE", (*((system,) if system is not None else ()), *centre, self.value(depth))
            )

        def polygon() -> tree.Call:
            return tree.Call("POLYGON", self.some(lambda: self.one_of(point, self.column), 3, 4))

        return self.one_of(point, circle, polygon, self.column)

    def cast(self, depth: int) -> tree.Expression:
        target = self.draw(st.sampled_from(["SMALLINT", "DOUBLE PRECISION", "POINT", "CHAR", "VARCHAR"]))
        length = self.draw(st.none() | st.integers(0, 99)) if "CHAR" in target else None
        return tree.Cast(self.value(depth), target, length)

    def case(self, depth: int) -> tree.Expression:
        operand = self.maybe(lambda: self.value(depth))

        def branch() -> tree.When:
            test = self.condition(0) if operand is None else self.value(depth)
            return tree.When(test, self.value(depth))

        return tree.Case(operand, self.some(branch, 1, 2), self.maybe(lambda: self.value(depth)))

    @property
    def composed(self) -> tuple[Any, ...]:
        return (
            *(self.signed, self.binary, self.call, self.user_defined, self.contains),
            *(self.in_unit, self.cast, self.case),
        )

    def aggregate(self) -> tree.Expression:
        name = self.draw(st.sampled_from(["COUNT", "MIN", "SUM"]))
        argument = None if name == "COUNT" and self.flag() else self.value(1)
        return tree.Aggregate(name, argument, argument is not None and self.flag())

    def condition(self, depth: int) -> tree.Condition:
        if depth and self.flag():
            return self.one_of(
                lambda: tree.Not(self.condition(depth - 1)),
                lambda: self.junction(tree.And, depth - 1),
                lambda: self.junction(tree.Or, depth - 1),
            )
        value = self.value(1)
        return self.one_of(
            lambda: tree.Comparison(self.draw(st.sampled_from(["=", "<>", "<", ">="])), value, self.value(1)),
            lambda: tree.Between(value, self.value(0), self.value(0), self.flag()),
            lambda: tree.InList(value, self.some(lambda: self.value(0), 1, 3), self.flag()),
            lambda: tree.Like(value, self.value(0), self.flag(), self.flag()),
            lambda: tree.IsNull(value, self.flag()),
            *((lambda: tree.Exists(self.query(0)),) * (depth > 0)),
            *((lambda: tree.InQuery(value, self.query(0), self.flag()),) * (depth > 0)),
        )

    def junction(self, kind: Any, depth: int) -> tree.Condition:
        terms = self.some(lambda: self.condition(depth), 2, 3)
        # The parser makes one list of an AND within an AND.
        return kind(tuple(tree.Not(term) if isinstance(term, kind) else term for term in terms))

    def table(self, depth: int) -> tree.FromItem:
        def named() -> tree.FromItem:
            return tree.TableReference(self.some(self.identifier, 1, 3), self.maybe(self.identifier))

        def derived() -> tree.FromItem:
            return tree.DerivedTable(self.query(depth - 1), self.identifier())

        return self.one_of(named, *((derived, lambda: self.join(depth - 1)) if depth else ()))

    def join(self, depth: int) -> tree.FromItem:
        kind = self.draw(st.sampled_from(["INNER", "LEFT", "RIGHT", "FULL"]))
        left, right = self.table(depth), self.table(depth)
        return self.one_of(
            lambda: tree.Join(kind, left, right, natural=True),
            lambda: tree.Join(kind, left, right, condition=self.condition(0)),
            lambda: tree.Join(kind, left, right, using=self.some(self.identifier, 1, 2)),
        )

    def item(self) -> tree.AllColumns | tree.SelectItem:
        def everything() -> tree.AllColumns:
            return tree.AllColumns(self.some(self.identifier, 0, 3))

        def value() -> tree.SelectItem:
            return tree.SelectItem(
                self.one_of(lambda: self.value(2), self.aggregate), self.maybe(self.identifier)
            )

        return self.one_of(everything, value)

    def select(self, depth: int) -> tree.Select:
        return tree.Select(
            self.some(self.item, 1, 3),
            self.some(lambda: self.table(depth), 1, 2),
            distinct=self.flag(),
            top=self.draw(st.none() | st.integers(0, 10**6)),
            where=self.maybe(lambda: self.condition(depth)),
            group_by=self.some(lambda: self.value(1), 0, 2),
            having=self.maybe(lambda: self.condition(0)),
        )

    def body(self, depth: int) -> tree.QueryBody:
        if depth == 0 or self.flag():
            return self.select(depth)
        operator = self.draw(st.sampled_from(["UNION", "EXCEPT", "INTERSECT"]))
        return tree.SetOperation(operator, self.flag(), self.operand(depth - 1), self.operand(depth - 1))

    def operand(self, depth: int) -> tree.QueryBody:
        body = self.body(depth)
        return tree.QueryExpression(body, self.order(1)) if self.flag() else body

    def order(self, least: int) -> tuple[tree.OrderTerm, ...]:
        return self.some(lambda: tree.OrderTerm(self.value(1), self.flag()), least, 2)

    def query(self, depth: int) -> tree.QueryExpression:
        offset = self.draw(st.none() | st.integers(0, 99))
        return tree.QueryExpression(self.body(depth), self.order(0), offset)


@st.composite
def queries(draw: Any) -> tree.Query:
    """Whole queries."""
    trees = Trees(draw)
    common = trees.some(lambda: tree.CommonTable(trees.identifier(), trees.query(0)), 0, 1)
    return tree.Query(trees.query(1), common)


def select(query: typed.Query) -> typed.Select:
    """The one SELECT that a resolved query is made of."""
    assert isinstance(query.expression.body, typed.Select)
    return query.expression.body
