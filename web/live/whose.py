"""Whom status events concern: asked of the database once for an event, not once for each client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from paws.access.rule import UNKNOWN, Scope
from paws.database import Pool
from web.live.hub import Whose
from web.live.parts import mentioned, reserved
from web.storage import status as store

_KEPT: Final = 30.0
"""Seconds for which an answer serves: a frame announces itself a dozen times within them."""
_MOST: Final = 20_000

Key = tuple[str, str]


class WhoseDesk:
    """Finds the scopes of events.

    Parameters
    ----------
    pool
        The process's own.
    needed
        Whether anybody has limits here. Where access is open, nothing is asked.
    """

    def __init__(self, pool: Pool, needed: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._needed = needed
        self._clock = clock
        self._kept: dict[Key, tuple[float, tuple[Scope, ...]]] = {}

    async def of(self, events: Sequence[Mapping[str, Any]]) -> list[Whose]:
        """Whom each of some events concerns.

        Raises
        ------
        One of DATABASE_TROUBLES
            If the database does not answer.
        """
        if not self._needed:
            return [Whose()] * len(events)
        keys = {key for event in events for key in _keys(event)}
        await self._look_up(keys)
        return [self._whose(event) for event in events]

    async def _look_up(self, keys: set[Key]) -> None:
        now = self._clock()
        wanted = [key for key in keys if key not in self._kept or now - self._kept[key][0] > _KEPT]
        if not wanted:
            return
        if len(self._kept) + len(wanted) > _MOST:
            self._kept.clear()
            wanted = list(keys)
        found = await store.scopes(self._pool, wanted)
        # What is not there may come: a miss is not kept.
        for key in wanted:
            self._kept.pop(key, None)
        self._kept |= {key: (now, tuple(scopes)) for key, scopes in found.items()}

    def _scopes(self, key: Key) -> tuple[Scope, ...]:
        return self._kept.get(key, (0.0, ()))[1]

    def _whose(self, event: Mapping[str, Any]) -> Whose:
        (scope, *_others) = self._scopes(_subject(event)) or (UNKNOWN,)
        named = _named(event)
        mentions = tuple(one for stem in sorted(named) for one in self._scopes(("name", f"{stem}.fits")))
        if not mentions:
            return Whose(scope)
        return Whose(scope, mentions, {**event, "payload": reserved(_payload(event), named)})


def _payload(event: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = event.get("payload")
    return payload if isinstance(payload, Mapping) else {}


def _subject(event: Mapping[str, Any]) -> Key:
    return str(event.get("entity")), str(event.get("entity_id"))


def _named(event: Mapping[str, Any]) -> set[str]:
    payload = _payload(event)
    # A frame's own name is no mention of another.
    return mentioned(payload) - {str(payload.get("name", "")).removesuffix(".fits")}


def _keys(event: Mapping[str, Any]) -> list[Key]:
    return [_subject(event), *(("name", f"{stem}.fits") for stem in _named(event))]
