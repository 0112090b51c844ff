"""Health as this process sees it: a pure judgement on a few figures."""

from __future__ import annotations

from typing import Final

from paws.access.rule import Sight
from paws.database import DATABASE_TROUBLES
from web.api.models import Health, Part
from web.state import WebState
from web.storage.health import outbox_lag

MAX_LAG: Final = 10.0
"""Age of an unpublished event (s) from which on the relay counts as stuck."""


def judge_relay(waiting: int, lag: float) -> Part:
    """Health of the relay from what lies in the outbox."""
    if waiting and lag > MAX_LAG:
        return Part(
            name="relay",
            ok=False,
            detail=f"{waiting} events wait, the oldest for {lag:.0f} s: check that `paws worker` runs and reaches Kafka",
        )
    return Part(name="relay", ok=True, detail=f"{waiting} events wait to be published")


def judge_feed(problem: str | None, broker_set: bool) -> Part:
    """Health of the broker as the status feed sees it."""
    if problem is None:
        return Part(name="broker", ok=True, detail="the status feed follows it")
    # Without a broker by intention, the table serves.
    return Part(name="broker", ok=not broker_set, detail=problem)


async def health(state: WebState) -> Health:
    """Health of the system."""
    try:
        waiting, lag = await outbox_lag(state.pool)
        parts = [Part(name="database", ok=True, detail="answers"), judge_relay(waiting, lag)]
    except DATABASE_TROUBLES as error:
        detail = f"does not answer: {error or type(error).__name__}"
        parts = [Part(name="database", ok=False, detail=detail)]
    if state.feed is not None:
        parts.append(judge_feed(state.feed.state.broker, bool(state.settings.broker_url)))
    return Health(ok=all(part.ok for part in parts), parts=parts)


def told_health(found: Health, sight: Sight) -> Health:
    """Health as somebody is told it: which parts are well is for everyone, numbers are not."""
    if sight.everything:
        return found
    parts = [
        Part(name=one.name, ok=one.ok, detail="is well" if one.ok else "is not well") for one in found.parts
    ]
    return Health(ok=found.ok, parts=parts)
