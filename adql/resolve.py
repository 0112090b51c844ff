"""Whole queries: tables of FROM, select lists, groups, order, set operations, WITH."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adql import metas, tree
from adql.catalogue import Catalogue, Table
from adql.coercion import together
from adql.errors import AdqlNameError, AdqlTypeError
from adql.grouping import has_aggregate, ungrouped
from adql.naming import alone, default_name
from adql.nulls import retyped
from adql.ordering import AliasScope, check_orderable, named, numbered, order_of_outputs, output_number
from adql.resolve_values import ValueResolver
from adql.scope import Names, PairNames, Scope, TableNames, Visible
from adql.typed import (
    And,
    Call,
    ColumnValue,
    CommonSource,
    CommonTable,
    Comparison,
    Condition,
    Constant,
    Expression,
    FromItem,
    Join,
    OrderTerm,
    Output,
    OutputNumber,
    Query,
    QueryExpression,
    QuerySource,
    Select,
    SetOperation,
    Source,
    TableSource,
)


def resolve(query: tree.Query, catalogue: Catalogue) -> Query:
    """A query with every name looked up and every type known.

    Parameters
    ----------
    query
        What `adql.parse` gave.
    catalogue
        What there is to be asked by whoever asks.

    Raises
    ------
    AdqlNameError
        If a table, column or function does not exist, or a name means several.
    AdqlTypeError
        If values do not go together, or a column stands beside aggregates without being grouped by.
    """
    return Resolver(catalogue).query(query)


class Resolver(ValueResolver):
    """Resolves one query.

    Parameters
    ----------
    catalogue
        The tables.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self._catalogue = catalogue
        self._common: dict[str, CommonTable] = {}
        self._tables: dict[str, Table] = {}
        self._aliases = 0

    def query(self, node: tree.Query) -> Query:
        """Resolve a whole query."""
        for common in node.common_tables:
            key = _key(common.name)
            if key in self._common:
                raise AdqlNameError(
                    f"two queries of WITH are called {common.name}", common.position, str(common.name)
                )
            resolved = self.query_expression(common.query, None)
            self._common[key] = CommonTable(self._alias("w"), resolved)
        expression = self.query_expression(node.expression, None)
        expression = replace(expression, body=replace(expression.body, outputs=alone(expression.outputs)))
        return Query(
            expression,
            tuple(self._common.values()),
            tuple(self._tables.values()),
            tuple(dict.fromkeys(self.warnings)),
        )

    def subquery(self, node: tree.QueryExpression, scope: Scope) -> QueryExpression:
        """Resolve a query within a condition, which may use the columns of the query around."""
        return self.query_expression(node, scope)

    def query_expression(self, node: tree.QueryExpression, outer: Scope | None) -> QueryExpression:
        """Resolve a query with its order."""
        body = node.body
        if isinstance(body, tree.Select):
            return self._select(body, node, outer)
        if isinstance(body, tree.QueryExpression):
            inner = self.query_expression(body, outer)
            # What is ordered and cut already is ordered and cut again: it becomes a table of its own.
            return self._around(inner, node)
        operation = self._set_operation(body, outer)
        order = tuple(order_of_outputs(term, operation.outputs) for term in node.order_by)
        return QueryExpression(operation, order, node.offset)

    def _around(self, inner: QueryExpression, node: tree.QueryExpression) -> QueryExpression:
        source = QuerySource(self._alias("t"), inner)
        outputs = tuple(
            replace(output, expression=ColumnValue(source, output.key, output.meta))
            for output in inner.outputs
        )
        order = tuple(order_of_outputs(term, outputs) for term in node.order_by)
        return QueryExpression(Select(outputs, (source,), False, None, None, (), None), order, node.offset)

    # --- SELECT -------------------------------------------------------------------------------------------

    def _select(
        self, node: tree.Select, around: tree.QueryExpression, outer: Scope | None
    ) -> QueryExpression:
        names, tables = self._from(node.tables, outer)
        scope = Scope(names, outer)
        where = self._where(node, scope)
        outputs, positions = self._outputs(node.items, scope)
        groups = tuple(self._group_term(term, scope, outputs) for term in node.group_by)
        having = self.condition(node.having, scope) if node.having is not None else None
        order = tuple(self._order_term(term, scope, outputs, node.distinct) for term in around.order_by)
        select = Select(outputs, tables, node.distinct, node.top, where, groups, having)
        self._check_groups(select, order, scope, positions, node, around)
        return QueryExpression(select, order, around.offset)

    def _where(self, node: tree.Select, scope: Scope) -> Condition | None:
        if node.where is None:
            return None
        try:
            return self.condition(node.where, scope)
        except AdqlNameError as error:
            aliases = [str(item.alias).lower() for item in node.items if isinstance(item, tree.SelectItem)]
            if error.token.lower() in aliases:
                error.suggestion = (
                    f"{error.token} is a name of the select list; write here what it stands for"
                )
            raise

    def _outputs(
        self, items: Sequence[tree.AllColumns | tree.SelectItem], scope: Scope
    ) -> tuple[tuple[Output, ...], list[int]]:
        found: list[tuple[str, Expression, int]] = []
        for item in items:
            if isinstance(item, tree.AllColumns):
                found += [(one.name, one.expression, item.position) for one in scope.all_columns(item)]
                continue
            expression = self.expression(item.expression, scope)
            if item.alias is not None:
                name = item.alias.text
            elif isinstance(item.expression, tree.ColumnReference):
                name = scope.column(item.expression).name
            else:
                name = default_name(item.expression, len(found) + 1)
            found.append((name, expression, item.position))
        outputs = tuple(
            Output(name, f"c{number}", expression.meta, expression)
            for number, (name, expression, _) in enumerate(found, start=1)
        )
        return outputs, [position for _, _, position in found]

    def _group_term(self, node: tree.Expression, scope: Scope, outputs: tuple[Output, ...]) -> Expression:
        value = self._grouped_by(node, scope, outputs)
        if has_aggregate(value):
            raise AdqlTypeError("an aggregate cannot be grouped by", node.position)
        if isinstance(value, Constant):
            raise AdqlTypeError("nothing can be grouped by a constant", node.position)
        return value

    def _grouped_by(self, node: tree.Expression, scope: Scope, outputs: tuple[Output, ...]) -> Expression:
        if isinstance(node, tree.Number):
            return numbered(node, outputs, "GROUP BY")
        try:
            return self.expression(node, scope)
        except AdqlNameError:
            known = named(node.parts[0], outputs) if isinstance(node, tree.ColumnReference) else None
            if known is None or known.expression is None:
                raise
            return known.expression

    def _order_term(
        self, node: tree.OrderTerm, scope: Scope, outputs: tuple[Output, ...], distinct: bool
    ) -> OrderTerm:
        number = output_number(node.expression, outputs)
        if number is not None:
            return OrderTerm(OutputNumber(number), node.descending)
        if isinstance(node.expression, tree.Number):
            numbered(node.expression, outputs, "ORDER BY")
        value = self.expression(node.expression, AliasScope(scope, outputs))
        for place, output in enumerate(outputs, start=1):
            if output.expression == value:
                return OrderTerm(OutputNumber(place), node.descending)
        if distinct:
            raise AdqlTypeError(
                "SELECT DISTINCT can be ordered only by what it selects",
                node.position,
                suggestion="add it to the select list",
            )
        check_orderable(value, node.position)
        return OrderTerm(value, node.descending)

    def _check_groups(
        self,
        select: Select,
        order: Sequence[OrderTerm],
        scope: Scope,
        positions: Sequence[int],
        node: tree.Select,
        around: tree.QueryExpression,
    ) -> None:
        """Refuse columns beside aggregates that are not grouped by."""
        values: list[tuple[Expression | Condition, int]] = [
            (output.expression, position)
            for output, position in zip(select.outputs, positions, strict=True)
            if output.expression is not None
        ]
        if select.having is not None:
            assert node.having is not None
            values.append((select.having, node.having.position))
        for term, written in zip(order, around.order_by, strict=True):
            if not isinstance(term.expression, OutputNumber):
                values.append((term.expression, written.position))
        grouped = bool(select.group_by) or select.having is not None
        if not grouped and not any(has_aggregate(value) for value, _ in values):
            return
        for value, position in values:
            column = ungrouped(value, select.group_by, scope.sources)
            if column is not None:
                raise AdqlTypeError(
                    f"the column {_name_of(column)} is neither in GROUP BY nor in an aggregate",
                    position,
                    suggestion="add it to GROUP BY, or take MIN, MAX or AVG of it",
                )

    # --- FROM ---------------------------------------------------------------------------------------------

    def _from(
        self, items: Sequence[tree.FromItem], outer: Scope | None
    ) -> tuple[Names, tuple[FromItem, ...]]:
        names, first = self._from_item(items[0], outer)
        tables = [first]
        for item in items[1:]:
            more, table = self._from_item(item, outer)
            names = PairNames(names, more)
            tables.append(table)
        _check_aliases(names, items[0].position)
        return names, tuple(tables)

    def _from_item(self, node: tree.FromItem, outer: Scope | None) -> tuple[Names, FromItem]:
        match node:
            case tree.TableReference():
                return self._table(node)
            case tree.DerivedTable():
                query = self.query_expression(node.query, outer)
                derived = QuerySource(self._alias("t"), query)
                return TableNames(derived, (node.alias.text,)), derived
            case tree.Join():
                return self._join(node, outer)

    def _table(self, node: tree.TableReference) -> tuple[Names, FromItem]:
        alias = (node.alias.text,) if node.alias is not None else None
        common = self._common.get(_key(node.parts[0])) if len(node.parts) == 1 else None
        source: Source
        if common is not None:
            source = CommonSource(self._alias("t"), common)
            return TableNames(source, alias or (node.parts[0].text,)), source
        table = self._catalogue.find(node.parts)
        self._tables.setdefault(table.name, table)
        source = TableSource(self._alias("t"), table)
        return TableNames(source, alias or table.parts), source

    def _join(self, node: tree.Join, outer: Scope | None) -> tuple[Names, FromItem]:
        left, left_item = self._from_item(node.left, outer)
        right, right_item = self._from_item(node.right, outer)
        if node.condition is not None:
            names = PairNames(left, right)
            condition = self.condition(node.condition, Scope(names, outer))
            return names, Join(node.kind, left_item, right_item, condition)
        shared = _shared_names(left, right) if node.natural else list(node.using)
        merged, conditions = [], []
        for name in shared:
            one, condition = self._merge(name, left, right, node)
            merged.append(one)
            conditions.append(condition)
        on = conditions[0] if len(conditions) == 1 else And(tuple(conditions)) if conditions else None
        if on is None and node.kind != "INNER":
            raise AdqlTypeError("the tables of this NATURAL JOIN have no column in common", node.position)
        return PairNames(left, right, merged), Join(node.kind, left_item, right_item, on)

    def _merge(
        self, name: tree.Identifier, left: Names, right: Names, node: tree.Join
    ) -> tuple[Visible, Comparison]:
        """A column of USING: the condition that it is equal on both sides, and what it means afterwards."""
        sides = []
        for names in (left, right):
            reference = tree.ColumnReference((name,), position=name.position)
            found = Scope(names).column(reference)
            sides.append(found)
        mine, other = together(sides[0].expression, sides[1].expression, name.position, "joined")
        if node.kind == "FULL":
            meta = metas.wider(mine.meta, other.meta)
            merged: Expression = Call("COALESCE", (mine, other), meta)
        else:
            merged = other if node.kind == "RIGHT" else mine
        return Visible(sides[0].name, merged), Comparison("=", mine, other)

    # --- set operations -----------------------------------------------------------------------------------

    def _set_operation(self, node: tree.SetOperation, outer: Scope | None) -> SetOperation:
        left = self._operand(node.left, outer)
        right = self._operand(node.right, outer)
        if len(left.outputs) != len(right.outputs):
            raise AdqlTypeError(
                f"{node.operator} needs queries with equally many columns: "
                f"these have {len(left.outputs)} and {len(right.outputs)}",
                node.position,
                node.operator,
            )
        outputs = []
        for number, (mine, other) in enumerate(zip(left.outputs, right.outputs, strict=True), start=1):
            try:
                meta = metas.wider(mine.meta, other.meta)
            except AdqlTypeError as error:
                raise AdqlTypeError(
                    f"column {number} of the two sides of {node.operator}: {error.message}",
                    node.position,
                    node.operator,
                ) from None
            outputs.append(Output(mine.name, f"c{number}", meta))
        wanted = [output.meta for output in outputs]
        sides = retyped(left, wanted), retyped(right, wanted)
        return SetOperation(node.operator, node.all, *sides, tuple(outputs))

    def _operand(self, node: tree.QueryBody, outer: Scope | None) -> QueryExpression:
        if not isinstance(node, tree.QueryExpression):
            node = tree.QueryExpression(node, position=node.position)
        return self.query_expression(node, outer)

    def _alias(self, letter: str) -> str:
        self._aliases += 1
        return f"{letter}{self._aliases}"


def _key(name: tree.Identifier) -> str:
    return name.text if name.delimited and not name.text.islower() else name.text.lower()


def _check_aliases(names: Names, position: int) -> None:
    seen: set[tuple[str, ...]] = set()
    for table in names.tables():
        if table.qualifier in seen:
            called = ".".join(table.qualifier)
            raise AdqlNameError(
                f"two tables of FROM are called {called}", position, called, "give each an alias with AS"
            )
        seen.add(table.qualifier)


def _shared_names(left: Names, right: Names) -> list[tree.Identifier]:
    known = {one.name.lower() for one in right.all()}
    names = dict.fromkeys(one.name for one in left.all() if one.name.lower() in known)
    return [tree.Identifier(name) for name in names]


def _name_of(column: ColumnValue) -> str:
    if isinstance(column.source, TableSource):
        return column.key
    return next(output.name for output in column.source.outputs if output.key == column.key)
