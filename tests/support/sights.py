"""Sights and snapshots for tests that are about something else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from paws.access.rule import Sight, sees_all

ALL = sees_all(date(2026, 3, 12))


@dataclass(frozen=True)
class SnapshotText:
    """A snapshot that is the same for everyone."""

    seq: int
    text: str

    def text_for(self, _sight: Sight) -> str:
        return self.text


async def newest_of_nothing(_sight: Sight) -> str | None:
    return None
