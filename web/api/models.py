"""Answers of the JSON interface. The OpenAPI document is made from these classes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from schemas.vocabulary import FrameState, ProductKind, ReductionKind, ReductionState

Real = Annotated[float, PlainSerializer(lambda value: float(f"{value:.7g}"), return_type=float)]
"""A number that the database keeps in single precision: its noise digits are not shown."""

ItemT = TypeVar("ItemT")


class Answer(BaseModel):
    """Base of all answers: what is not described is not sent."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Page(Answer, Generic[ItemT]):
    """Part of a list."""

    items: list[ItemT]
    total: int = Field(description="Number of items in the whole list")
    limit: int
    offset: int


class Night(Answer):
    """A night and how far its frames have come."""

    night: str = Field(description="YYYYMMDD, the civil date at the site when the night began")
    frames: int
    science: int = Field(description="Frames of objects")
    reduced: int
    failed: int
    waiting: int = Field(description="Frames without a final state")
    rejected: int = Field(description="Files that cannot be used")
    products: int = Field(description="Current products")
    first_frame: datetime | None
    last_frame: datetime | None


class Exposure(Answer):
    """How well a frame is exposed, measured at arrival."""

    median: float = Field(description="Median above the overscan level, ADU")
    bright: float = Field(description="98th percentile above the overscan level, ADU")
    saturated_fraction: float


class Frame(Answer):
    """A raw frame and what became of it. The same fields travel in status events."""

    frame_id: str
    night: str
    name: str
    arm: str
    run: int
    frame_class: str
    object_name: str
    field: str
    plate: int | None
    grating: str
    central_wavelength: int = Field(description="Angstrom")
    exposed: Real = Field(description="Exposure time, s")
    utmjd: float = Field(description="Start of the exposure, modified Julian date (UTC)")
    airmass: Real | None
    exposure: Exposure | None
    state: FrameState
    reason: str | None = Field(description="Why the frame is in this state, for people")
    level: int | None = Field(description="Calibration level, 0 (best) to 4")
    provisional: bool | None = Field(description="Made with less than the best: will be redone")
    job_key: str | None
    reduction_kind: ReductionKind | None
    stage: str | None
    progress: Real | None = Field(description="0 to 1")
    attempt: int | None
    error_code: str | None
    completed_at: datetime
    arrived_at: datetime
    finished_at: datetime | None
    signal_to_noise: Real | None = Field(description="Median per Angstrom over the targets")


class ReductionSummary(Answer):
    """A reduction job. The same fields travel in status events."""

    job_key: str
    slot: str
    kind: ReductionKind
    night: str
    arm: str | None
    state: ReductionState
    priority: int
    provisional: bool
    engine: str
    engine_version: str
    attempt: int
    stage: str | None
    progress: Real | None
    outcome: str | None
    error_code: str | None
    error: str | None
    runner: str | None
    requested_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ProductSummary(Answer):
    """A version of a product."""

    product_id: str
    job_key: str
    slot: str
    kind: ProductKind
    night: str
    arm: str | None
    version: int
    current: bool
    path: str = Field(description="Where the current version lies, in the products folder")
    checksum: str = Field(description="BLAKE3, hexadecimal")
    size_bytes: int
    plate: int | None
    grating: str
    field: str
    run: int | None
    level: int | None
    provisional: bool
    signal_to_noise: float | None
    created_at: datetime
    superseded_at: datetime | None


class Reduction(ReductionSummary):
    """A reduction job, whole."""

    document: dict[str, Any] = Field(description="What was asked: schemas.reductions.Reduction")
    engine_started_at: datetime | None
    engine_finished_at: datetime | None
    frame_ids: list[str]
    products: list[ProductSummary]
    has_log: bool


class FrameDetail(Frame):
    """A raw frame, whole."""

    checksum: str
    size_bytes: int
    configuration: str
    proposal: str
    header: dict[str, Any] = Field(description="Cards of the primary header")
    decision: dict[str, Any] | None = Field(description="Calibrations chosen and refused, with reasons")
    junk_reason: str | None
    junked_by: str | None
    junked_at: datetime | None
    reductions: list[ReductionSummary]
    products: list[ProductSummary]


class Product(ProductSummary):
    """A version of a product, whole."""

    quality: dict[str, Any]
    provenance: dict[str, Any]
    frame_ids: list[str]
    versions: list[ProductSummary] = Field(description="All versions of the same slot, the newest first")


class Fibre(Answer):
    """A row of a product."""

    fibre: int = Field(description="Row of the product, from 1: the slit position in products of one frame")
    name: str
    type: str = Field(description="P target, S sky, F guide, U parked, N broken")
    pivot: int | None
    ra: float | None = Field(description="Degrees, J2000")
    dec: float | None
    magnitude: float | None
    signal_to_noise: Real | None = Field(description="Median per Angstrom")


class FibreList(Answer):
    """All rows of a product."""

    product_id: str
    axis: Literal["wavelength", "pixel"]
    unit: str
    samples: int
    has_variance: bool
    has_sky: bool
    fibres: list[Fibre]


class Spectrum(Answer):
    """One spectrum. Missing values are null."""

    product_id: str
    fibre: Fibre
    axis: Literal["wavelength", "pixel"]
    axis_unit: str = Field(description="Angstrom in air, or pixel")
    unit: str
    start: float | None = Field(description="First value of a linear axis")
    step: float | None = Field(description="Step of a linear axis")
    x: list[float | None] | None = Field(description="The axis, where it is not linear")
    flux: list[float | None]
    sigma: list[float | None] | None = Field(description="Standard deviation of the flux")
    sky: list[float | None] | None = Field(description="Sky that was subtracted")


class LogEntry(Answer):
    """A line of the observing log."""

    frame_id: str
    night: str
    run: int
    arm: str
    ut_start: datetime
    frame_class: str
    object_name: str
    field: str
    plate: int | None
    grating: str
    central_wavelength: int | None
    exposed: Real
    airmass: Real | None
    proposal: str
    level: int | None
    signal_to_noise: Real | None
    result: str


class ObservingLog(Answer):
    """The observing log of a night."""

    night: str
    entries: list[LogEntry]


class RejectedFile(Answer):
    """A file in a raw folder that cannot be used."""

    path: str
    name: str
    night: str
    size_bytes: int
    code: str
    reason: str
    first_seen: datetime
    last_seen: datetime


class RejectedFiles(Answer):
    """Files that cannot be used and still lie there."""

    items: list[RejectedFile]


class Snapshot(Answer):
    """State of a night: what a client of ``/ws/status`` starts from."""

    type: Literal["snapshot"] = "snapshot"
    seq: int = Field(description="Newest status event that is included")
    night: str | None
    frames: list[Frame]
    rejected: list[RejectedFile]


class Part(Answer):
    """Health of one part."""

    name: str
    ok: bool
    detail: str


class Health(Answer):
    """Health of the system as this web process sees it."""

    ok: bool
    parts: list[Part]


class ProblemField(Answer):
    """One wrong parameter."""

    name: str
    detail: str


class Problem(Answer):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = ""
    errors: list[ProblemField] = Field(default_factory=list)
