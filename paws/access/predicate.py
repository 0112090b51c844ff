"""The rule as SQL: a condition for queries, and the values that travel with it.

Every query for somebody else's eyes has this condition; there is no other way to ask. The functions it calls are
plain SQL, so that PostgreSQL sees through them and uses its indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from paws.access.rule import Sight

Kind = Literal["frame", "product", "reduction"]

_CALLS: dict[Kind, str] = {
    "frame": "may_see_frame({a}owner, {a}public_on, {a}field, {viewer})",
    "product": "may_see({a}owners, {a}public_on, {a}field, {a}product_id, {viewer})",
    "reduction": "may_see({a}owners, {a}public_on, {a}field, {a}job_key, {viewer})",
}


def values_of(sight: Sight) -> list[Any]:
    """Values of the condition's four parameters."""
    return [sight.everything, sorted(sight.groups), sorted(sight.grants), sight.today]


def condition(kind: Kind, first: int, alias: str = "") -> str:
    """Condition that a row of ``frame`` (or ``frame_status``), ``product`` or ``reduction`` is seen.

    Parameters
    ----------
    first
        Number of the first of its four parameters; their values are `values_of`.
    alias
        Name of the table in the query.
    """
    viewer = f"${first}::boolean, ${first + 1}::text[], ${first + 2}::text[], ${first + 3}::date"
    return _CALLS[kind].format(a=f"{alias}." if alias else "", viewer=viewer)


def seen_request(
    sight: Sight, account_id: int | None, values: Sequence[Any] = (), alias: str = ""
) -> tuple[str, list[Any]]:
    """Condition that a row of ``request`` is seen, behind other parameters: its text, and all values in order.

    By whoever submitted it, and by members of the proposals of all its frames; nobody else ever.
    """
    a, first = f"{alias}." if alias else "", len(values) + 1
    text = f"may_see_request({a}owners, {a}account_id, ${first}::bigint, ${first + 1}::boolean, ${first + 2}::text[])"
    return text, [*values, account_id, sight.everything, sorted(sight.groups)]


def seen(kind: Kind, sight: Sight, values: Sequence[Any] = (), alias: str = "") -> tuple[str, list[Any]]:
    """Condition behind other parameters: its text, and all values in order."""
    return condition(kind, len(values) + 1, alias), [*values, *values_of(sight)]
