"""What the relay decides. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from paws.clock import night_date
from schemas.topics import TOPICS

STATUS_OUTBOX_KEPT = timedelta(days=1)
"""How long published status rows stay in the outbox; the numbered feed has them too."""

STATUS_FEED_KEPT = timedelta(days=30)
"""How long the numbered feed is kept: the history on a frame's page."""

OUTBOX_KEPT = timedelta(days=90)
"""How long other published rows stay. State-bearing ones are needed for an observing run, which is shorter."""


@dataclass(frozen=True)
class ReplayDecision:
    """Whether the state-bearing events are published again, and why."""

    replay: bool
    reason: str


def replay_decision(published_into: str | None, present: str) -> ReplayDecision:
    """Decide by the broker's incarnation.

    Parameters
    ----------
    published_into
        Incarnation into which the outbox was last published; None when it never was.
    present
        Incarnation of the broker that answers now.
    """
    if published_into is None:
        return ReplayDecision(False, "Nothing was published before.")
    if published_into == present:
        return ReplayDecision(False, "It is the broker that was published into.")
    return ReplayDecision(True, f"The broker's memory is new: {present} after {published_into}.")


def durable_topics() -> list[str]:
    """Topics that the matcher's state is made of."""
    return [spec.name for spec in TOPICS if spec.durable_state]


def first_night(newest: str, nights: int) -> str:
    """First night to publish again, so that the newest and those of its observing run are there."""
    return (night_date(newest) - timedelta(days=nights)).strftime("%Y%m%d")


def went_back(known: Mapping[str, int], topic: str, offset: int) -> bool:
    """Whether an offset shows that a topic was emptied behind our back: offsets only grow."""
    return offset <= known.get(topic, -1)
