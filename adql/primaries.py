"""Reads the smallest values: names, literals, calls, CAST, CASE, aggregates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, cast

from adql.cursor import SUBQUERY, Cursor
from adql.errors import AdqlSyntaxError
from adql.signatures import COUNTS, check_call, nearest_function
from adql.tree import (
    Aggregate,
    Boolean,
    Call,
    Case,
    Cast,
    ColumnReference,
    Condition,
    Exists,
    Expression,
    Null,
    Number,
    QueryExpression,
    String,
    When,
)

if TYPE_CHECKING:
    from adql.tree import AggregateName

_AGGREGATES: Final = frozenset({"COUNT", "MIN", "MAX", "AVG", "SUM"})
_TARGETS: Final = frozenset(
    {"CHAR", "VARCHAR", "SMALLINT", "INTEGER", "BIGINT", "REAL", "TIMESTAMP", "POINT", "CIRCLE", "POLYGON"}
)
_TARGET_HINTS: Final = {
    "FLOAT": "write REAL or DOUBLE PRECISION",
    "INT": "write INTEGER",
    "NUMERIC": "write DOUBLE PRECISION",
    "DECIMAL": "write DOUBLE PRECISION",
    "DATE": "write TIMESTAMP",
    "TEXT": "write VARCHAR",
    "CHARACTER": "write CHAR or VARCHAR",
}


class PrimaryParser(Cursor):
    """Reads primaries; what holds values or queries within is read by the classes that derive from it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._clause = ""
        """The clause that is read, if it is one without aggregates."""

    @abstractmethod
    def subquery(self) -> QueryExpression:
        """Read `(SELECT ...)`."""

    @abstractmethod
    def expression(self) -> Expression:
        """Read a value."""

    @abstractmethod
    def condition(self, clause: str = "") -> Condition:
        """Read a condition."""

    @abstractmethod
    def _case_test(self, operand: Expression | None) -> Condition | Expression:
        """Read what stands between WHEN and THEN."""

    @abstractmethod
    def _parenthesis(self) -> Expression | Condition:
        """Read a value or condition in parentheses."""

    def opens_query(self) -> bool:
        """Whether the parenthesis that is next holds a query."""
        steps = 0
        while self.ahead(steps).key == "(":
            steps += 1
        return self.ahead(steps).key in ("SELECT", "WITH")

    def _primary(self) -> Expression | Condition:
        token = self.token
        kind = token.kind
        if kind == "number":
            self.advance()
            return Number(token.text, position=token.position)
        if kind == "string":
            self.advance()
            return String(token.text, position=token.position)
        if token.key == "(":
            return self._parenthesis()
        if kind == "word" and (reader := self._READERS.get(token.key)) is not None:
            return reader(self)
        if kind == "word" and self.ahead().key == "(":
            return self._call()
        if self.is_name():
            return self.column_reference()
        if kind == "word":
            raise self.reserved(token, "a value")
        raise self.unexpected("a value", suggestion=self._stray_comma())

    def _stray_comma(self) -> str:
        return "is there a comma too many?" if self.index and self.tokens[self.index - 1].key == "," else ""

    def column_reference(self) -> ColumnReference:
        """Read a name of one to four parts.

        Raises
        ------
        AdqlSyntaxError
            If it has more, or if a part is a reserved word.
        """
        parts = [self.identifier("a column")]
        while self.accept("."):
            parts.append(self.identifier("a name after the dot"))
        if len(parts) > 4:
            raise AdqlSyntaxError(
                "the name of a column has at most four parts",
                parts[0].position,
                ".".join(str(part) for part in parts),
                "write catalogue.schema.table.column, or less",
            )
        return ColumnReference(tuple(parts), position=parts[0].position)

    def _arguments(self) -> tuple[Expression, ...]:
        self.expect("(")
        if self.accept(")"):
            return ()
        with self.nested():
            arguments = [self.expression()]
            while self.accept(","):
                arguments.append(self.expression())
            self.expect(")")
        return tuple(arguments)

    def _call(self) -> Call:
        token = self.advance()
        if token.key in COUNTS:
            call = Call(token.key, self._arguments(), position=token.position)
            check_call(call)
            return call
        if "_" not in token.text or token.text.endswith("_"):
            raise AdqlSyntaxError(
                f"there is no function {token.text}", token.position, token.text, nearest_function(token.text)
            )
        return Call(token.text.lower(), self._arguments(), user_defined=True, position=token.position)

    def _standard(self) -> Call:
        if self.ahead().key != "(":
            raise self.reserved(self.token, "a value")
        return self._call()

    def _null(self) -> Null:
        return Null(position=self.advance().position)

    def _boolean(self) -> Boolean:
        token = self.advance()
        return Boolean(token.key == "TRUE", position=token.position)

    def _exists(self) -> Exists:
        token = self.advance()
        if not self.opens_query():
            raise self.unexpected("a query in parentheses", suggestion="write EXISTS (SELECT ...)")
        return Exists(self.subquery(), position=token.position)

    def _aggregate(self) -> Aggregate:
        token = self.token
        if self.ahead().key != "(":
            raise self.reserved(token, "a value")
        if self._clause:
            raise AdqlSyntaxError(
                f"{token.key} cannot stand in {self._clause}",
                token.position,
                token.text,
                "conditions on groups stand in HAVING" if self._clause == "WHERE" else "",
            )
        self.advance()
        self.advance()
        if token.key == "COUNT" and self.accept("*"):
            self.expect(")")
            return Aggregate("COUNT", None, position=token.position)
        distinct = self.accept("DISTINCT")
        if not distinct:
            self.accept("ALL")
        self._clause = "another aggregate"
        with self.nested():
            argument = self.expression()
            self.expect(")")
        self._clause = ""
        return Aggregate(cast("AggregateName", token.key), argument, distinct, position=token.position)

    def _cast(self) -> Cast:
        start = self.advance()
        self.expect("(")
        with self.nested():
            operand = self.expression()
        self.expect("AS", "write CAST(value AS type)")
        target, length = self._target()
        self.expect(")")
        return Cast(operand, target, length, position=start.position)

    def _target(self) -> tuple[str, int | None]:
        token = self.advance()
        if token.key == "DOUBLE":
            self.expect("PRECISION", "write DOUBLE PRECISION")
            return "DOUBLE PRECISION", None
        if token.key not in _TARGETS:
            raise AdqlSyntaxError(
                "this is no type that CAST knows",
                token.position,
                self.written(token),
                _TARGET_HINTS.get(
                    token.key, f"the types are DOUBLE PRECISION, {', '.join(sorted(_TARGETS))}"
                ),
            )
        length = None
        if token.key in ("CHAR", "VARCHAR") and self.accept("("):
            length = self.whole_number("a whole number as length")
            self.expect(")")
        return token.key, length

    def whole_number(self, what: str) -> int:
        """Read an unsigned whole number, at most that of 64 bits.

        Raises
        ------
        AdqlSyntaxError
            If something else is here.
        """
        token = self.token
        if token.kind != "number" or not token.text.isdecimal() or len(token.text) > 18:
            raise self.unexpected(what)
        self.advance()
        return int(token.text)

    def _case(self) -> Case:
        start = self.advance()
        with self.nested(SUBQUERY):
            operand = None if self.token.key == "WHEN" else self.expression()
            branches = []
            while self.token.key == "WHEN":
                position = self.advance().position
                test = self._case_test(operand)
                self.expect("THEN")
                branches.append(When(test, self.expression(), position=position))
            if not branches:
                raise self.unexpected("WHEN")
            otherwise = self.expression() if self.accept("ELSE") else None
            self.expect("END", "CASE is closed by END")
        return Case(operand, tuple(branches), otherwise, position=start.position)

    _READERS: ClassVar[dict[str, Callable[[PrimaryParser], Expression | Condition]]] = {
        **dict.fromkeys(COUNTS.keys() - {"COT"}, _standard),
        **dict.fromkeys(_AGGREGATES, _aggregate),
        "NULL": _null,
        "TRUE": _boolean,
        "FALSE": _boolean,
        "CAST": _cast,
        "CASE": _case,
        "EXISTS": _exists,
    }
