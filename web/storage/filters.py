"""Conditions of a query, built from constants; values travel as parameters."""

from __future__ import annotations

from typing import Any

from paws.access.predicate import Kind, condition, values_of
from paws.access.rule import Sight


class Where:
    """Collects conditions and their values.

    A condition is a constant of the program with ``{}`` where its value belongs.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._conditions: list[str] = []

    def add(self, condition: str, value: Any) -> None:
        """Add a condition unless its value is None."""
        if value is None:
            return
        self.values.append(value)
        self._conditions.append(condition.replace("{}", f"${len(self.values)}"))

    def add_each(self, condition: str, *values: Any) -> None:
        """Add a condition with a ``{}`` for each of its values."""
        for value in values:
            self.values.append(value)
            condition = condition.replace("{}", f"${len(self.values)}", 1)
        self._conditions.append(condition)

    def require(self, condition: str) -> None:
        """Add a condition without a value."""
        self._conditions.append(condition)

    def seen_by(self, kind: Kind, sight: Sight, alias: str = "") -> None:
        """Leave out what somebody may not see: `paws.access.rule`."""
        self._conditions.append(condition(kind, len(self.values) + 1, alias))
        self.values += values_of(sight)

    def page(self, limit: int, offset: int) -> str:
        """The LIMIT clause."""
        self.values += [limit, offset]
        return f" LIMIT ${len(self.values) - 1} OFFSET ${len(self.values)}"

    def __str__(self) -> str:
        return f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""


def like(text: str | None) -> str | None:
    """Pattern that finds a text anywhere, taken literally."""
    if not text:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
