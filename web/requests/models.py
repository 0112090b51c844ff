"""Answers about requests. The OpenAPI document is made from these classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from schemas.reductions import ParameterValue
from schemas.vocabulary import ReductionKind, RequestState
from web.api.models import Answer, Real


class RequestSummary(Answer):
    """A request."""

    request_id: str
    who: str = Field(description="Account that submitted it")
    title: str
    night: str = Field(description="First night of its frames")
    engine: str
    engine_version: str
    parameters: dict[str, ParameterValue] = Field(
        description="What differs from the default, by 2dFdr's names"
    )
    parameters_version: int
    options: dict[str, Any] = Field(description="What is made, and of which calibrations")
    state: RequestState
    partly_failed: bool = Field(description="Finished without all that was asked for")
    reason: str = Field(description="Why it is in this state, for people")
    frames: int
    parts: int = Field(description="Reductions that it needs")
    parts_done: int
    parts_failed: int
    parts_reused: int = Field(description="Done before it asked")
    submitted_at: datetime
    planned_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_at: datetime | None
    cancelled_by: str
    retries: int
    cloned_from: str | None


class RequestFrame(Answer):
    """A frame that was asked for, and what the plan says of it."""

    frame_id: str
    night: str
    name: str
    run: int
    arm: str
    frame_class: str
    object_name: str
    field: str
    plate: int | None
    grating: str
    exposed: Real
    state: str
    reason: str
    level: int | None
    job_key: str | None


class RequestPart(Answer):
    """A reduction that a request needs."""

    job_key: str | None = Field(description="None for a reduction that is not one's to see")
    kind: ReductionKind
    night: str
    arm: str | None
    label: str
    result: bool = Field(description="Whether it is what was asked for; else it serves that")
    reused: bool
    state: str = Field(description="State of the reduction; waiting while it was not asked for")
    reason: str | None
    stage: str | None
    progress: Real | None
    product_id: str | None
    signal_to_noise: float | None


class RequestDetail(RequestSummary):
    """A request, whole."""

    missing: list[dict[str, str]] = Field(description="What cannot be made, with the reason")
    elapsed_seconds: float
    expected_seconds: float | None = Field(description="Until it ends, as far as can be told")
    ahead: int | None = Field(description="Reductions that come before its first waiting one")
    waiting: str = Field(description="Why nothing happens, for people; empty when something does")
    webhook_secret: str | None = Field(description="Signs what is sent to its webhook; for its owner")
    frame_list: list[RequestFrame]
    part_list: list[RequestPart]


class ParameterInfo(Answer):
    """A parameter that a request may have."""

    name: str
    group: str
    kind: str
    default: ParameterValue
    meaning: str
    choices: list[str]
    own_choices: list[str] = Field(description="Those that the built-in reducer alone knows")
    low: float | None
    high: float | None
    unit: str
    by_grating: dict[str, ParameterValue]
    concerns: list[ReductionKind]


class EngineInfo(Answer):
    """An engine that a request may name."""

    name: str
    version: str
    usual: bool


class ParameterTable(Answer):
    """What a request may set."""

    version: int
    parameters: list[ParameterInfo]
    engines: list[EngineInfo]
