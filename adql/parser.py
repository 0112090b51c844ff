"""Reads whole queries: SELECT and its clauses, tables and joins, set operators, WITH.

The grammar is that of annex A of ADQL 2.1 (IVOA recommendation of 2023-12-15), with these extensions: CASE, TRUE and
FALSE, numbers such as 0x1F, `IS NULL` of any value, a semicolon at the end. It is looser than the annex in nothing
else that matters: where this reader accepts more, the resolver refuses with a better message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, cast

from adql.cursor import SUBQUERY
from adql.errors import AdqlError, AdqlSyntaxError
from adql.tree import (
    AllColumns,
    CommonTable,
    DerivedTable,
    Expression,
    FromItem,
    Identifier,
    Join,
    JoinKind,
    OrderTerm,
    Query,
    QueryBody,
    QueryExpression,
    Select,
    SelectItem,
    SetOperation,
    SetOperator,
    TableReference,
)
from adql.values import ValueParser
from adql.walk import FEW_TOKENS, check_height

_JOINS: Final = frozenset({"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "NATURAL"})
_T = TypeVar("_T")


def parse(text: str) -> Query:
    """The tree of a query.

    No name is looked up: tables, columns and user defined functions (names with an underscore) may be any.

    Raises
    ------
    AdqlSyntaxError
        If the text is not ADQL.
    AdqlLimitError
        If it is too long, too deep or too large.
    """
    try:
        parser = Parser(text)
        query = parser.query()
        if len(parser.tokens) > FEW_TOKENS:
            check_height(query)
    except AdqlError as error:
        raise error.located(text) from None
    return query


class Parser(ValueParser):
    """Reads one query."""

    def query(self) -> Query:
        """Read a query to the end of the text."""
        start = self.token
        common = self._with_clause() if self.token.key == "WITH" else ()
        if self.token.key not in ("SELECT", "("):
            raise self._no_query()
        expression = self.query_expression()
        self.accept(";")
        if self.token.kind != "end":
            raise self._left_over()
        return Query(expression, common, position=start.position)

    def query_expression(self) -> QueryExpression:
        """Read a query with its ORDER BY and OFFSET."""
        start = self.token
        body = self._set_expression()
        order: tuple[OrderTerm, ...] = ()
        if self.accept("ORDER"):
            self.expect("BY")
            order = self._list(self._order_term)
        offset = self.whole_number("a whole number of rows") if self.accept("OFFSET") else None
        if isinstance(body, QueryExpression) and not order and offset is None:
            return body
        return QueryExpression(body, order, offset, position=start.position)

    def subquery(self) -> QueryExpression:
        """Read `(SELECT ...)`."""
        self.expect("(")
        if self.token.key == "WITH":
            raise AdqlSyntaxError(
                "WITH cannot stand in a subquery",
                self.token.position,
                self.written(self.token),
                "put all of it before the outermost SELECT",
            )
        before, self._clause = self._clause, ""
        with self.nested(SUBQUERY):
            query = self.query_expression()
            self.expect(")")
        self._clause = before
        return query

    def _no_query(self) -> AdqlSyntaxError:
        wanted = ("SELECT",) if self.index else ("SELECT", "WITH")
        if self.token.key in (
            "INSERT",
            "UPDATE",
            "DELETE",
            "DROP",
            "CREATE",
            "ALTER",
            "GRANT",
            "EXEC",
            "EXECUTE",
        ):
            return self.unexpected(*wanted, suggestion="ADQL only asks; nothing can be changed")
        return self.unexpected(*wanted)

    def _left_over(self) -> AdqlSyntaxError:
        if self.tokens[self.index - 1].key == ";":
            return AdqlSyntaxError(
                "there is more after the end of the query",
                self.token.position,
                self.written(self.token),
                "send one query at a time",
            )
        hint = {
            ")": "a parenthesis is closed that was not opened",
        }.get(self.token.key, "")
        if self.tokens[self.index - 1].key == "LIMIT":
            hint = "write SELECT TOP n at the beginning"
        if not hint:
            return self.unexpected(
                "the end of the query", "WHERE", "GROUP", "HAVING", "ORDER", "UNION", "JOIN"
            )
        return AdqlSyntaxError(
            "the query goes on where it should end", self.token.position, self.written(self.token), hint
        )

    def _with_clause(self) -> tuple[CommonTable, ...]:
        self.advance()
        if self.token.text.upper() == "RECURSIVE" and self.ahead().key != "AS":
            raise AdqlSyntaxError(
                "there are no recursive queries in ADQL", self.token.position, self.written(self.token)
            )
        return self._list(self._common_table)

    def _common_table(self) -> CommonTable:
        name = self.identifier("a name for the query")
        self.expect("AS", "write WITH name AS (SELECT ...)")
        if self.token.key != "(":
            raise self.unexpected("(")
        return CommonTable(name, self.subquery(), position=name.position)

    def _set_expression(self) -> QueryBody:
        left = self._set_term()
        while self.token.key in ("UNION", "EXCEPT"):
            left = self._set_operation(left, self._set_term)
        return left

    def _set_term(self) -> QueryBody:
        left = self._set_primary()
        while self.token.key == "INTERSECT":
            left = self._set_operation(left, self._set_primary)
        return left

    def _set_operation(self, left: QueryBody, read: Callable[[], QueryBody]) -> SetOperation:
        token = self.advance()
        everything = self.accept("ALL")
        return SetOperation(cast("SetOperator", token.key), everything, left, read(), position=token.position)

    def _set_primary(self) -> QueryBody:
        if self.token.key != "(":
            return self._select()
        query = self.subquery()
        return query if query.order_by or query.offset is not None else query.body

    def _select(self) -> Select:
        start = self.expect("SELECT")
        distinct = self.accept("DISTINCT")
        if not distinct:
            self.accept("ALL")
        top = self.whole_number("a whole number of rows") if self.accept("TOP") else None
        items = self._list(self._select_item)
        if self.token.key != "FROM":
            raise self.unexpected("FROM", "a comma", suggestion=self._missing_from())
        self.advance()
        tables = self._list(self._from_item)
        where = self.condition("WHERE") if self.accept("WHERE") else None
        group: tuple[Expression, ...] = ()
        if self.accept("GROUP"):
            self.expect("BY")
            group = self._grouping()
        having = self.condition() if self.accept("HAVING") else None
        return Select(items, tables, distinct, top, where, group, having, position=start.position)

    def _missing_from(self) -> str:
        if self.token.key == "(":
            return "is there a comma missing?"
        misspelt = self.misspelt(("FROM",))
        return misspelt or ("every SELECT needs a FROM" if self.token.kind in ("end", "word") else "")

    def _grouping(self) -> tuple[Expression, ...]:
        before, self._clause = self._clause, "GROUP BY"
        terms = self._list(self.expression)
        self._clause = before
        return terms

    def _select_item(self) -> AllColumns | SelectItem:
        start = self.token
        if self.accept("*"):
            return AllColumns(position=start.position)
        if self._qualified_star():
            qualifier = [self.identifier("a table")]
            while self.accept(".") and not self.accept("*"):
                qualifier.append(self.identifier("a name after the dot"))
            return AllColumns(tuple(qualifier), position=start.position)
        if start.key == "FROM":
            comma = self.tokens[self.index - 1].key == ","
            raise self.unexpected(
                "a column or value",
                suggestion="is there a comma too many?" if comma else "select something, or *",
            )
        return SelectItem(self.expression(), self._alias("a name for the column"), position=start.position)

    def _qualified_star(self) -> bool:
        steps = 0
        while self.ahead(steps).kind in ("word", "delimited") and self.ahead(steps + 1).key == ".":
            steps += 2
            if self.ahead(steps).key == "*":
                return steps <= 6
        return False

    def _alias(self, what: str) -> Identifier | None:
        if self.accept("AS"):
            return self.identifier(what)
        return self.identifier(what) if self.is_name() else None

    def _from_item(self) -> FromItem:
        left = self._table()
        while self.token.key in _JOINS:
            left = self._join(left)
        if self.token.key == "CROSS":
            raise AdqlSyntaxError(
                "there is no CROSS JOIN in ADQL",
                self.token.position,
                self.written(self.token),
                "write a comma between the tables",
            )
        return left

    def _join(self, left: FromItem) -> Join:
        start = self.token
        natural = self.accept("NATURAL")
        kind: JoinKind = "INNER"
        if self.token.key in ("LEFT", "RIGHT", "FULL"):
            kind = cast("JoinKind", self.advance().key)
            self.accept("OUTER")
        else:
            self.accept("INNER")
        self.expect("JOIN")
        right = self._table()
        if self.token.key in ("ON", "USING") and natural:
            raise AdqlSyntaxError(
                f"NATURAL JOIN and {self.token.key} exclude each other",
                self.token.position,
                self.written(self.token),
                "leave NATURAL out",
            )
        if self.accept("ON"):
            condition = self.condition("ON")
            return Join(kind, left, right, condition=condition, position=start.position)
        using: tuple[Identifier, ...] = ()
        if self.accept("USING"):
            self.expect("(")
            using = self._list(lambda: self.identifier("a column"))
            self.expect(")")
        elif not natural:
            raise self.unexpected(
                "ON", "USING", suggestion="say which rows belong together, or join by a comma"
            )
        return Join(kind, left, right, natural, using=using, position=start.position)

    def _table(self) -> FromItem:
        if self.token.key != "(":
            return self._table_reference()
        if self._opens_derived_table():
            start = self.token
            query = self.subquery()
            alias = self._alias("a name for the derived table")
            if alias is None:
                raise AdqlSyntaxError(
                    "a query in FROM needs a name",
                    start.position,
                    "(",
                    "write (SELECT ...) AS name",
                )
            return DerivedTable(query, alias, position=start.position)
        self.advance()
        with self.nested(2):
            joined = self._from_item()
            if not isinstance(joined, Join):
                raise self.unexpected("JOIN", suggestion="a single table stands without parentheses")
            self.expect(")")
        return joined

    def _opens_derived_table(self) -> bool:
        """Whether `(` begins a query, and not a join whose first table is a query."""
        if not self.opens_query():
            return False
        if self.ahead().key != "(":
            return True
        depth, steps = 1, 1
        while depth:
            steps += 1
            token = self.ahead(steps)
            if token.kind == "end":
                return True
            depth += (token.key == "(") - (token.key == ")")
        return self.ahead(steps + 1).key in ("UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET", ")")

    def _table_reference(self) -> TableReference:
        parts = [self.identifier("a table")]
        while self.accept("."):
            parts.append(self.identifier("a name after the dot"))
        if len(parts) > 3:
            raise AdqlSyntaxError(
                "the name of a table has at most three parts",
                parts[0].position,
                ".".join(str(part) for part in parts),
                "write schema.table",
            )
        if self.token.key == "(":
            raise AdqlSyntaxError(
                "a function cannot stand in FROM", parts[0].position, str(parts[-1]), "name a table"
            )
        return TableReference(tuple(parts), self._alias("a name for the table"), position=parts[0].position)

    def _order_term(self) -> OrderTerm:
        start = self.token
        expression = self.expression()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        return OrderTerm(expression, descending, position=start.position)

    def _list(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        found = [read()]
        while self.accept(","):
            found.append(read())
        return tuple(found)
