"""Terms of ORDER BY and GROUP BY that mean columns of the select list."""

from __future__ import annotations

from collections.abc import Sequence

from adql import tree
from adql.catalogue import matches
from adql.errors import AdqlNameError, AdqlTypeError
from adql.scope import Scope, Visible
from adql.typed import Constant, Expression, Kind, OrderTerm, Output, OutputNumber


class AliasScope(Scope):
    """The scope of ORDER BY: the columns of FROM, then the names of the select list."""

    def __init__(self, scope: Scope, outputs: tuple[Output, ...]) -> None:
        super().__init__(scope.names, scope.outer)
        self._select_list = outputs

    def own(self, reference: tree.ColumnReference) -> Visible | None:
        """A column of FROM, else of the select list."""
        found = super().own(reference)
        if found is not None or len(reference.parts) > 1:
            return found
        known = named(reference.parts[0], self._select_list)
        if known is None or known.expression is None:
            return None
        return Visible(known.name, known.expression)


def named(name: tree.Identifier, outputs: Sequence[Output]) -> Output | None:
    """The output column of a name, if there is one such column, or several that are the same."""
    found = [output for output in outputs if matches(name, output.name)]
    if len(found) > 1:
        found = [output for output in found if output.name == name.text] or found
    same = found and all(output.expression == found[0].expression for output in found)
    return found[0] if len(found) == 1 or (same and found[0].expression is not None) else None


def output_number(node: tree.Expression, outputs: tuple[Output, ...]) -> int | None:
    """The place, from 1, of the output column that a term is by its name or number; None if it is none."""
    if isinstance(node, tree.Number) and node.text.isdecimal():
        number = int(node.text[:9])
        return number if 1 <= number <= len(outputs) else None
    if isinstance(node, tree.ColumnReference) and len(node.parts) == 1:
        known = named(node.parts[0], outputs)
        return outputs.index(known) + 1 if known is not None else None
    return None


def numbered(node: tree.Number, outputs: tuple[Output, ...], clause: str) -> Expression:
    """The output column of a number in GROUP BY or ORDER BY.

    Raises
    ------
    AdqlNameError
        If there is none of that number.
    """
    number = output_number(node, outputs)
    if number is None:
        raise AdqlNameError(
            f"{clause} {node.text}: there is no such column",
            node.position,
            node.text,
            f"the columns are numbered from 1 to {len(outputs)}",
        )
    expression = outputs[number - 1].expression
    assert expression is not None, "a SELECT knows what its columns are"
    return expression


def check_orderable(value: Expression, position: int) -> None:
    """Refuse what has no order.

    Raises
    ------
    AdqlTypeError
        For geometries, arrays and constants.
    """
    if value.meta.kind.geometric or value.meta.kind is Kind.ARRAY:
        raise AdqlTypeError(f"nothing can be ordered by {value.meta.kind.named}", position)
    if isinstance(value, Constant):
        raise AdqlTypeError("nothing can be ordered by a constant", position)


def order_of_outputs(node: tree.OrderTerm, outputs: tuple[Output, ...]) -> OrderTerm:
    """A term of ORDER BY after a set operation: a name or number of its columns.

    Raises
    ------
    AdqlNameError
        If it is anything else.
    """
    number = output_number(node.expression, outputs)
    if number is None:
        if isinstance(node.expression, tree.Number):
            numbered(node.expression, outputs, "ORDER BY")
        raise AdqlNameError(
            "the result of UNION, EXCEPT and INTERSECT is ordered by names or numbers of its columns",
            node.position,
            suggestion=f"the names are {', '.join(output.name for output in outputs[:8])}",
        )
    return OrderTerm(OutputNumber(number), node.descending)
