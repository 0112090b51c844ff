"""Every event that travels between the agents. All are versioned, validated and keyed by night."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from schemas.frames import Checksum, Frame, Model, Night
from schemas.reductions import ParameterValue, Reduction
from schemas.vocabulary import Outcome, ProductKind, ReductionKind, ReductionState


class Event(Model):
    """What all events have. `event_id` is derived, so a repeated event is recognised."""

    event_id: str
    night: Night
    at: datetime = Field(description="When the event was made (UTC)")


class FrameArrived(Event):
    """A raw frame is complete and accepted."""

    event: Literal["frame.arrived"] = "frame.arrived"
    version: Literal[1] = 1
    frame: Frame


class FrameRejected(Event):
    """A file in a raw folder cannot be used. It stays where it is and is looked at again when it changes."""

    event: Literal["frame.rejected"] = "frame.rejected"
    version: Literal[1] = 1
    path: str
    name: str
    size_bytes: int
    code: str
    reason: str = Field(description="What is wrong and what to do next, for people")


class FrameJunked(Event):
    """A person declared a frame unusable, or took that back."""

    event: Literal["frame.junked"] = "frame.junked"
    version: Literal[1] = 1
    frame_id: str
    junked: bool
    reason: str
    who: str


class FrameParametersSet(Event):
    """A person set the parameters that a frame is reduced with, or took that back.

    They stand beside those of every reduction, and before them. Empty: the frame is reduced as all others are.
    """

    event: Literal["frame.parameters"] = "frame.parameters"
    version: Literal[1] = 1
    frame_id: str
    parameters: dict[str, ParameterValue] = Field(description="By 2dFdr's names")
    reason: str
    who: str


class ReductionRequested(Event):
    """The planner wants a reduction. Asking again for the same work is harmless."""

    event: Literal["reduction.requested"] = "reduction.requested"
    version: Literal[1] = 1
    reduction: Reduction
    force: bool = Field(default=False, description="Run again although it is done or failed: a person asked")


class RequestOrdered(Event):
    """A person submitted a request for reductions, cancelled it, or wants what failed tried again.

    Its row in the database says all the rest; this event makes the agent look there. `night` is the first of the
    request's nights.
    """

    event: Literal["request.ordered"] = "request.ordered"
    version: Literal[1] = 1
    request_id: str = Field(max_length=40)
    order: Literal["submit", "cancel", "retry"]
    who: str


class ProductRecord(Model):
    """A registered product file."""

    product_id: str
    kind: ProductKind
    product_version: int = Field(ge=1)
    path: str = Field(description="Path in the products folder, relative")
    checksum: Checksum
    size_bytes: int
    quality: dict[str, Any] = Field(default_factory=dict)


class Timing(Model):
    """When a reduction passed its stages (UTC), for the overhead figures."""

    requested_at: datetime
    queued_at: datetime
    started_at: datetime
    engine_started_at: datetime | None = None
    engine_finished_at: datetime | None = None
    finished_at: datetime

    @property
    def engine_seconds(self) -> float:
        """Seconds that the engine itself worked."""
        if self.engine_started_at is None or self.engine_finished_at is None:
            return 0.0
        return (self.engine_finished_at - self.engine_started_at).total_seconds()


class ReductionFinished(Event):
    """A reduction reached a final state."""

    event: Literal["reduction.finished"] = "reduction.finished"
    version: Literal[1] = 1
    job_key: Checksum
    slot: str
    kind: ReductionKind
    state: ReductionState
    outcome: Outcome
    products: tuple[ProductRecord, ...] = ()
    subject_frame_ids: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = Field(default=None, description="What went wrong and what to do next, for people")
    attempts: int = 1
    timing: Timing | None = None


class StatusEvent(Event):
    """A change that people watch: of a frame, a reduction, a product or a file.

    `seq` is given by the relay when it publishes: gapless and increasing over the whole system.
    `payload` holds the entity's state after the change, whole, so the newest event alone is enough.
    """

    event: Literal["status"] = "status"
    version: Literal[1] = 1
    seq: int | None = None
    entity: Literal["frame", "reduction", "product", "file", "notice"]
    entity_id: str
    state: str
    payload: dict[str, Any] = Field(default_factory=dict)


AnyEvent = Annotated[
    FrameArrived
    | FrameRejected
    | FrameJunked
    | FrameParametersSet
    | ReductionRequested
    | ReductionFinished
    | RequestOrdered
    | StatusEvent,
    Field(discriminator="event"),
]

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)

EVENT_TYPES: tuple[type[Event], ...] = (
    FrameArrived,
    FrameRejected,
    FrameJunked,
    FrameParametersSet,
    ReductionRequested,
    ReductionFinished,
    RequestOrdered,
    StatusEvent,
)


def parse_event(payload: bytes | str) -> AnyEvent:
    """Event in a message.

    Raises
    ------
    pydantic.ValidationError
        If the message is not a known event of a known version.
    """
    return _ADAPTER.validate_json(payload)


def dump_event(event: Event) -> bytes:
    """Message that carries an event."""
    return event.model_dump_json().encode()
