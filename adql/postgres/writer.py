"""One query on its way to SQL: what its parts need to write each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adql.backend import Backend
from adql.postgres import conditions, literals, queries, values

if TYPE_CHECKING:
    from adql.typed import Condition, Expression, QueryExpression


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the nodes of a typed tree for one back end. Every text it gives stands by itself, in parentheses
    where it must.
    """

    backend: Backend

    def value(self, expression: Expression) -> str:
        """SQL of an expression.

        Raises
        ------
        AdqlLimitError
            If it becomes too long: functions of places repeat their arguments.
        """
        return literals.bounded(values.value(self, expression))

    def condition(self, condition: Condition, *, filters: bool = False) -> str:
        """SQL of a condition.

        Parameters
        ----------
        filters
            Whether rows for which it does not hold are dropped: only then can an index serve it.
        """
        return literals.bounded(conditions.condition(self, condition, filters=filters))

    def query(self, query: QueryExpression) -> str:
        """SQL of a query, whose columns are named by their keys."""
        return queries.query(self, query)
