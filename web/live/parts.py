"""The state of a night in parts, so that it is read once and each client gets the parts that it may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from paws.access.rule import Scope, Sight, may_see
from paws.database import Pool
from web.access import names_in, without
from web.api.models import Frame, RejectedFile, Snapshot
from web.storage import status as store

_TEXTS: Final = ("reason", "stage", "error")
_MOST_TEXTS: Final = 64
"""Different views of a night that are kept as text: there are as many as groups of programmes look on."""


def mentioned(row: Mapping[str, Any]) -> set[str]:
    """Stems of frames that a frame's texts name."""
    return names_in([row.get(name) for name in _TEXTS])


def reserved(row: Mapping[str, Any], stems: set[str]) -> dict[str, Any]:
    """A frame's row without the names that its texts mention."""
    return {**row, **{name: without(row.get(name), frozenset(stems)) for name in _TEXTS if name in row}}


@dataclass(frozen=True)
class Part:
    """A frame of the night: as it is, and without the names of other frames."""

    scope: Scope
    mentions: tuple[Scope, ...]
    row: Mapping[str, Any]
    reserved: Mapping[str, Any]

    def row_for(self, sight: Sight) -> Mapping[str, Any] | None:
        """What somebody is told of the frame; None when they may not see it."""
        if not may_see(sight, self.scope):
            return None
        return self.row if all(may_see(sight, scope) for scope in self.mentions) else self.reserved


@dataclass
class NightParts:
    """State of a night with the number of the newest status event in it."""

    seq: int
    night: str | None
    parts: Sequence[Part]
    rejected: Sequence[dict[str, Any]]
    _texts: dict[bytes, str] = field(default_factory=dict)

    def snapshot_for(self, sight: Sight) -> Snapshot:
        """The night as somebody may see it. Numbers of events are for who sees everything."""
        rows = [part.row_for(sight) for part in self.parts]
        return Snapshot(
            seq=self.seq if sight.everything else 0,
            night=self.night,
            frames=[Frame.model_validate(row) for row in rows if row is not None],
            rejected=[RejectedFile.model_validate(row) for row in self.rejected] if sight.everything else [],
        )

    def text_for(self, sight: Sight) -> str:
        """The same as JSON. Written once for all who see the same."""
        rows = [part.row_for(sight) for part in self.parts]
        view = bytes(
            0 if row is None else 1 if row is part.row else 2
            for row, part in zip(rows, self.parts, strict=True)
        )
        key = b"*" + view if sight.everything else view
        if key not in self._texts:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[key] = self.snapshot_for(sight).model_dump_json()
        return self._texts[key]


async def read_parts(pool: Pool, night: str | None) -> NightParts:
    """State of a night, in parts."""
    state = await store.night_state(pool, night)
    stems = {stem for _scope, row in state.frames for stem in mentioned(row)}
    known = await store.scopes(pool, [("name", f"{stem}.fits") for stem in stems]) if stems else {}
    parts = []
    for scope, row in state.frames:
        named = mentioned(row)
        scopes = tuple(one for stem in sorted(named) for one in known.get(("name", f"{stem}.fits"), ()))
        parts.append(Part(scope, scopes, row, reserved(row, named) if scopes else row))
    return NightParts(state.seq, state.night, parts, state.rejected)
