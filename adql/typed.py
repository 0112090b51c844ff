"""The tree of a resolved query: every name is looked up, every value has a type.

It says less than `adql.tree`, so that a generator has less to know:

- every table of FROM has an `alias` made by the resolver (``t1``, ``t2`` ...), unique in the whole query, and
  every output column a `key` (``c1``, ``c2`` ...), unique in its query: no name of a user need reach the database;
- ``*`` is expanded; NATURAL and USING have become conditions, their merged columns plain expressions; GROUP BY and
  ORDER BY hold expressions, or the number of an output column;
- coordinate systems of ADQL 2.0 are gone from the arguments (they are all ICRS), points given as two numbers have
  become calls of POINT, and IN_UNIT has become a multiplication.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from adql.catalogue import Column, Table
from adql.kinds import Kind as Kind
from adql.kinds import Meta as Meta
from adql.tree import BinaryOperator, ComparisonOperator, SetOperator

# --- values -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. Integers of any size as int, other numbers as float, texts as str, NULL as None."""

    value: int | float | str | bool | None
    meta: Meta


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """A column of a table of FROM, of this query or (in a correlated subquery) of one around it.

    Attributes
    ----------
    source
        The table, derived table or common table it belongs to.
    key
        Its name there: `Column.name` of a `TableSource`, `Output.key` of the others.
    column
        What the catalogue says of it; None for columns of derived and common tables.
    """

    source: Source = field(repr=False)
    key: str
    meta: Meta
    column: Column | None = None


@dataclass(frozen=True, slots=True)
class Negation:
    """`-operand`."""

    operand: Expression
    meta: Meta


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * /` on numbers, `||` on texts. `/` of two integers is an integer."""

    operator: BinaryOperator
    left: Expression
    right: Expression
    meta: Meta


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `adql.functions.FUNCTIONS`, by its name there, with arguments of the kinds it takes."""

    name: str
    arguments: tuple[Expression, ...]
    meta: Meta


@dataclass(frozen=True, slots=True)
class Aggregate:
    """COUNT, MIN, MAX, AVG or SUM; no argument means `COUNT(*)`."""

    name: str
    argument: Expression | None
    distinct: bool
    meta: Meta


@dataclass(frozen=True, slots=True)
class Cast:
    """A change of type, to `adql.tree.Cast.target`."""

    operand: Expression
    target: str
    length: int | None
    meta: Meta


@dataclass(frozen=True, slots=True)
class Case:
    """CASE with conditions; one with an operand has become comparisons."""

    branches: tuple[tuple[Condition, Expression], ...]
    otherwise: Expression | None
    meta: Meta


Expression: TypeAlias = Constant | ColumnValue | Negation | Arithmetic | Call | Aggregate | Cast | Case

# --- conditions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left = right` and its kin; `1 = CONTAINS(...)` is one as well."""

    operator: ComparisonOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Between:
    """`operand BETWEEN low AND high`."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class InList:
    """`operand IN (...)`."""

    operand: Expression
    values: tuple[Expression, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class InQuery:
    """`operand IN (SELECT ...)`, the query having one column."""

    operand: Expression
    query: QueryExpression
    negated: bool


@dataclass(frozen=True, slots=True)
class Like:
    """`operand LIKE pattern` or ILIKE."""

    operand: Expression
    pattern: Expression
    negated: bool
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class IsNull:
    """`operand IS NULL`."""

    operand: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """`EXISTS (SELECT ...)`."""

    query: QueryExpression


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`."""

    operand: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conditions that all hold."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more conditions of which one holds."""

    terms: tuple[Condition, ...]


Condition: TypeAlias = Comparison | Between | InList | InQuery | Like | IsNull | Exists | Not | And | Or

# --- tables -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class TableSource:
    """A table of the catalogue; two sources of one table are two."""

    alias: str
    table: Table


@dataclass(frozen=True, slots=True, eq=False)
class QuerySource:
    """A derived table."""

    alias: str
    query: QueryExpression

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Its columns."""
        return self.query.outputs


@dataclass(frozen=True, slots=True, eq=False)
class CommonSource:
    """A use of a common table."""

    alias: str
    common: CommonTable = field(repr=False)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Its columns."""
        return self.common.query.outputs


Source: TypeAlias = TableSource | QuerySource | CommonSource


@dataclass(frozen=True, slots=True)
class Join:
    """Two tables joined. Without a condition it is a cross join, and its kind is INNER."""

    kind: Literal["INNER", "LEFT", "RIGHT", "FULL"]
    left: FromItem
    right: FromItem
    condition: Condition | None


FromItem: TypeAlias = TableSource | QuerySource | CommonSource | Join

# --- queries ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a result.

    Attributes
    ----------
    name
        As its author gave it, or a name made for it; unique (in any case of letters) within the outermost query.
    key
        ``c1``, ``c2`` ...: its name towards queries around it.
    expression
        What it is; None for columns of a set operation.
    """

    name: str
    key: str
    meta: Meta
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class OutputNumber:
    """An output column, by its place from 1, as a term of ORDER BY."""

    number: int


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """A term of ORDER BY."""

    expression: Expression | OutputNumber
    descending: bool


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT. `top` counts after the ORDER BY and OFFSET of the `QueryExpression` around it."""

    outputs: tuple[Output, ...]
    tables: tuple[FromItem, ...]
    distinct: bool
    top: int | None
    where: Condition | None
    group_by: tuple[Expression, ...]
    having: Condition | None


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Two queries put together, with equally many columns whose types go together."""

    operator: SetOperator
    all: bool
    left: QueryExpression
    right: QueryExpression
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class QueryExpression:
    """A query with its order. `body.outputs` are its columns."""

    body: Select | SetOperation
    order_by: tuple[OrderTerm, ...] = ()
    offset: int | None = None

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The columns of the result, in order."""
        return self.body.outputs


@dataclass(frozen=True, slots=True, eq=False)
class CommonTable:
    """A query of the WITH clause; `alias` is its name towards the database."""

    alias: str
    query: QueryExpression


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query.

    Attributes
    ----------
    common_tables
        In an order in which each uses only those before it.
    tables
        The catalogue's tables that are used, each once.
    warnings
        What its author should know although it is no error: a coordinate system that was ignored, say.
    """

    expression: QueryExpression
    common_tables: tuple[CommonTable, ...]
    tables: tuple[Table, ...]
    warnings: tuple[str, ...] = ()
