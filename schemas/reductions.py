"""A planned reduction: one ``aaorun`` verb, its inputs, its calibrations and the key that identifies it."""

from __future__ import annotations

import hashlib
import json

from pydantic import Field

from schemas.frames import Checksum, Model, Night
from schemas.vocabulary import (
    Arm,
    CalibrationLevel,
    CalibrationRole,
    Priority,
    ProductKind,
    ReductionKind,
)

ParameterValue = str | int | float | bool


class FrameInput(Model):
    """A raw frame that a reduction reads."""

    frame_id: str
    name: str
    path: str
    checksum: Checksum


class ProductInput(Model):
    """A product of an earlier reduction that a reduction reads."""

    job_key: str
    kind: ProductKind


class RefusedCandidate(Model):
    """A calibration that lies nearer or at a better level, and why it was not taken."""

    frame_id: str
    reason: str


class CalibrationChoice(Model):
    """The calibration chosen for a role, with the level of the match and what was passed over."""

    role: CalibrationRole
    product: ProductInput
    source_frame_ids: tuple[str, ...] = ()
    level: CalibrationLevel
    age_hours: float = Field(description="Calibration minus frame, hours; negative when it was taken before")
    reason: str
    refused: tuple[RefusedCandidate, ...] = ()


class Layout(Model):
    """Where the products of a reduction belong in the tree that PAWS users know."""

    night: Night
    arm: Arm | None = None
    plate: int | None = None
    grating: str = ""
    setup: int = 1
    field: str = ""
    run: int | None = None
    label: str = Field(
        default="", description="Distinguishes combined calibrations, such as the exposure of darks"
    )
    other_grating: str = Field(default="", description="Red grating of a spliced product")
    other_setup: int = 1
    variant: str = Field(
        default="",
        max_length=40,
        description="Parameters and engine of what was asked for beside the night's plan",
    )


class Reduction(Model):
    """One reduction, complete enough to be carried out anywhere.

    `slot` names the place that the result fills (such as ``20260312/1/0011/object``); a later, better
    reduction of the same slot supersedes this one and never overwrites it.
    """

    job_key: Checksum
    slot: str
    kind: ReductionKind
    night: Night
    arm: Arm | None = None
    frames: tuple[FrameInput, ...] = ()
    inputs: tuple[ProductInput, ...] = ()
    calibrations: tuple[CalibrationChoice, ...] = ()
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    engine: str
    engine_version: str
    priority: Priority = Priority.LIVE
    provisional: bool = Field(default=False, description="Made with less than the best: will be redone")
    products: tuple[ProductKind, ...]
    layout: Layout
    subject_frame_ids: tuple[str, ...] = Field(description="Frames whose state this reduction decides")
    reason: str = Field(default="", description="Why now, and why so: a sentence for people")

    @property
    def worst_level(self) -> CalibrationLevel | None:
        """Worst level among the mandatory calibrations, or None when there are none."""
        levels = [choice.level for choice in self.calibrations if choice.role.mandatory]
        return max(levels, default=None)


def input_keys(reduction: Reduction) -> list[ProductInput]:
    """Every product that a reduction reads, inputs first, each once."""
    wanted = [*reduction.inputs, *(choice.product for choice in reduction.calibrations)]
    return list(dict.fromkeys(wanted))


def job_key(
    kind: ReductionKind,
    frame_checksums: tuple[str, ...],
    inputs: tuple[ProductInput, ...],
    calibrations: tuple[tuple[CalibrationRole, ProductInput], ...],
    parameters: dict[str, ParameterValue],
    engine: str,
    engine_version: str,
) -> str:
    """Key of a reduction, derived from everything that its result depends on and nothing else.

    Calibrations count through the keys of the reductions that made them, so the keys of a whole night
    follow from the raw frames alone, in whatever order these came. The order of `inputs` counts,
    since frames are combined in it; the order of `calibrations` does not.
    """
    document = {
        "kind": kind.value,
        "frames": list(frame_checksums),
        "inputs": [[item.job_key, item.kind.value] for item in inputs],
        "calibrations": sorted([role.value, item.job_key, item.kind.value] for role, item in calibrations),
        "parameters": {name.upper(): value for name, value in sorted(parameters.items())},
        "engine": [engine, engine_version],
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
