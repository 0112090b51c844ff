"""The tree of a parsed query: what was written, before any name is looked up.

Every node is a frozen value and knows `position`, the offset of its first character in the text; positions take
no part in comparisons, so that two spellings of one query give equal trees. Parentheses leave no node: the
shape of the tree says what binds to what. `adql.text.render` writes a tree back as ADQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JoinKind: TypeAlias = Literal["INNER", "LEFT", "RIGHT", "FULL"]
AggregateName: TypeAlias = Literal["COUNT", "MIN", "MAX", "AVG", "SUM"]
SetOperator: TypeAlias = Literal["UNION", "EXCEPT", "INTERSECT"]
ComparisonOperator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]
"""`!=` is read as `<>`."""
BinaryOperator: TypeAlias = Literal["+", "-", "*", "/", "||"]


@dataclass(frozen=True, slots=True)
class Node:
    """What all nodes have: the place in the text."""

    position: int = field(default=-1, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    """A name. A delimited one stands without its double quotes, and with doubled ones made single."""

    text: str
    delimited: bool = False

    def __str__(self) -> str:
        return f'"{self.text.replace(chr(34), chr(34) * 2)}"' if self.delimited else self.text


# --- values -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number(Node):
    """An unsigned number as written: `12`, `.5`, `1.`, `1e-3`, `0x1F`."""

    text: str


@dataclass(frozen=True, slots=True)
class String(Node):
    """A character literal: without its quotes, with doubled ones made single, and with parts joined."""

    value: str


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """TRUE or FALSE (an extension)."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null(Node):
    """NULL."""


@dataclass(frozen=True, slots=True)
class ColumnReference(Node):
    """`column`, `alias.column`, `schema.table.column` or `catalogue.schema.table.column`."""

    parts: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """A sign."""

    operator: Literal["+", "-"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic, or the joining of texts."""

    operator: BinaryOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of ADQL (`name` in upper case) or a user defined one (`name` in lower case).

    A leading coordinate system of POINT, CIRCLE, BOX and POLYGON (ADQL 2.0) is the first argument still: a
    `String` or `Null`. IN_UNIT has its unit as second argument, a `String`.
    """

    name: str
    arguments: tuple[Expression, ...]
    user_defined: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate(Node):
    """COUNT, MIN, MAX, AVG or SUM; no argument means `COUNT(*)`."""

    name: AggregateName
    argument: Expression | None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`CAST(operand AS target)`.

    `target` is one of CHAR, VARCHAR, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, TIMESTAMP, POINT,
    CIRCLE, POLYGON; `length` belongs to the first two.
    """

    operand: Expression
    target: str
    length: int | None = None


@dataclass(frozen=True, slots=True)
class When(Node):
    """One branch of a CASE: a condition, or a value when the CASE has an operand."""

    test: Condition | Expression
    result: Expression


@dataclass(frozen=True, slots=True)
class Case(Node):
    """CASE (an extension): searched, or simple with an operand."""

    operand: Expression | None
    branches: tuple[When, ...]
    otherwise: Expression | None


Expression: TypeAlias = (
    Number | String | Boolean | Null | ColumnReference | Unary | Binary | Call | Aggregate | Cast | Case
)

# --- conditions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`left = right` and its kin."""

    operator: ComparisonOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`operand [NOT] BETWEEN low AND high`."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InList(Node):
    """`operand [NOT] IN (a, b, ...)`."""

    operand: Expression
    values: tuple[Expression, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InQuery(Node):
    """`operand [NOT] IN (SELECT ...)`."""

    operand: Expression
    query: QueryExpression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Node):
    """`operand [NOT] LIKE pattern`, or ILIKE, which minds no case."""

    operand: Expression
    pattern: Expression
    negated: bool = False
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """`operand IS [NOT] NULL`."""

    operand: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Exists(Node):
    """`EXISTS (SELECT ...)`; a negation stands around it."""

    query: QueryExpression


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`NOT condition`."""

    operand: Condition


@dataclass(frozen=True, slots=True)
class And(Node):
    """Two or more conditions that all hold."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Two or more conditions of which one holds."""

    terms: tuple[Condition, ...]


Condition: TypeAlias = Comparison | Between | InList | InQuery | Like | IsNull | Exists | Not | And | Or

# --- tables -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TableReference(Node):
    """`schema.table [AS alias]`: up to three parts."""

    parts: tuple[Identifier, ...]
    alias: Identifier | None = None


@dataclass(frozen=True, slots=True)
class DerivedTable(Node):
    """`(SELECT ...) AS alias`."""

    query: QueryExpression
    alias: Identifier


@dataclass(frozen=True, slots=True)
class Join(Node):
    """Two tables beside each other: by nature, by a condition, or by columns of one name."""

    kind: JoinKind
    left: FromItem
    right: FromItem
    natural: bool = False
    condition: Condition | None = None
    using: tuple[Identifier, ...] = ()


FromItem: TypeAlias = TableReference | DerivedTable | Join

# --- queries ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AllColumns(Node):
    """`*`, or `qualifier.*`."""

    qualifier: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectItem(Node):
    """An expression of the select list, and its name if one was given."""

    expression: Expression
    alias: Identifier | None = None


@dataclass(frozen=True, slots=True)
class Select(Node):
    """One SELECT. `top` counts rows after ORDER BY and OFFSET of the `QueryExpression` around it."""

    items: tuple[AllColumns | SelectItem, ...]
    tables: tuple[FromItem, ...]
    distinct: bool = False
    top: int | None = None
    where: Condition | None = None
    group_by: tuple[Expression, ...] = ()
    having: Condition | None = None


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """Two queries put together; INTERSECT binds more tightly than UNION and EXCEPT, all from the left."""

    operator: SetOperator
    all: bool
    left: QueryBody
    right: QueryBody


@dataclass(frozen=True, slots=True)
class OrderTerm(Node):
    """What to order by: an expression, a name given in the select list, or the number of a column."""

    expression: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class QueryExpression(Node):
    """A query with its order. As an operand of a set operation it stood in parentheses."""

    body: QueryBody
    order_by: tuple[OrderTerm, ...] = ()
    offset: int | None = None


QueryBody: TypeAlias = Select | SetOperation | QueryExpression


@dataclass(frozen=True, slots=True)
class CommonTable(Node):
    """`name AS (SELECT ...)` of a WITH clause."""

    name: Identifier
    query: QueryExpression


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A whole query: the common tables, in order, and what is asked of them."""

    expression: QueryExpression
    common_tables: tuple[CommonTable, ...] = ()
