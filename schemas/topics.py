"""The topics, in one table."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events import (
    Event,
    FrameArrived,
    FrameJunked,
    FrameParametersSet,
    FrameRejected,
    ReductionFinished,
    ReductionRequested,
    RequestOrdered,
    StatusEvent,
)

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class TopicSpec:
    """A topic: its name, what it carries, its key, its partitions and how long it keeps messages.

    Attributes
    ----------
    durable_state
        Whether the matcher's state is made of this topic: such topics are replayed from the outbox
        when the broker has lost its memory.
    """

    name: str
    event: type[Event]
    key: str
    partitions: int
    retention_ms: int
    durable_state: bool
    meaning: str


FRAMES_ARRIVED = TopicSpec(
    "frames.arrived", FrameArrived, "night", 1, 30 * _DAY_MS, True, "complete, accepted raw frames"
)
FRAMES_REJECTED = TopicSpec(
    "frames.rejected",
    FrameRejected,
    "night",
    1,
    30 * _DAY_MS,
    False,
    "files that cannot be used, with the reason",
)
FRAMES_JUNKED = TopicSpec(
    "frames.junked", FrameJunked, "night", 1, 30 * _DAY_MS, True, "frames that people declared unusable"
)
FRAMES_PARAMETERS = TopicSpec(
    "frames.parameters",
    FrameParametersSet,
    "night",
    1,
    30 * _DAY_MS,
    True,
    "parameters that people set for single frames",
)
REDUCTIONS_REQUESTED = TopicSpec(
    "reductions.requested",
    ReductionRequested,
    "night",
    1,
    7 * _DAY_MS,
    False,
    "reductions that the planner wants",
)
REDUCTIONS_FINISHED = TopicSpec(
    "reductions.finished", ReductionFinished, "night", 1, 30 * _DAY_MS, True, "reductions in a final state"
)
REQUESTS_ORDERED = TopicSpec(
    "requests.ordered", RequestOrdered, "night", 1, 7 * _DAY_MS, False, "what people order of requests"
)
STATUS_EVENTS = TopicSpec(
    "status.events", StatusEvent, "night", 1, 2 * _DAY_MS, False, "every change that people watch, numbered"
)

TOPICS: tuple[TopicSpec, ...] = (
    FRAMES_ARRIVED,
    FRAMES_REJECTED,
    FRAMES_JUNKED,
    FRAMES_PARAMETERS,
    REDUCTIONS_REQUESTED,
    REDUCTIONS_FINISHED,
    REQUESTS_ORDERED,
    STATUS_EVENTS,
)

TOPIC_OF: dict[type[Event], TopicSpec] = {spec.event: spec for spec in TOPICS}
