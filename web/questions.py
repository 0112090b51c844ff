"""Questions to the JSON interface: every parameter is bounded, and unknown ones are refused."""

from __future__ import annotations

from typing import Annotated, get_origin

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.vocabulary import Arm, FrameClass, FrameState, ProductKind, ReductionKind, ReductionState

NightText = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$")]
# PostgreSQL's text has no NUL, and no name has control characters.
Text = Annotated[str, StringConstraints(max_length=120, pattern=r"^[^\x00-\x1f]*$")]
Fibre = Annotated[int, Field(ge=1, le=10_000)]


class Question(BaseModel):
    """Base of all questions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def repeated(cls) -> frozenset[str]:
        """Parameters that may be given several times: those whose values are a tuple."""
        return frozenset(
            name for name, field in cls.model_fields.items() if get_origin(field.annotation) is tuple
        )


class Paged(Question):
    """A question for part of a list."""

    limit: int = Field(default=100, ge=1, le=1000, description="Most items in the answer")
    offset: int = Field(default=0, ge=0, le=10_000_000, description="Items to pass over")


class FrameQuestion(Paged):
    """Which frames."""

    night: NightText | None = Field(default=None, description="YYYYMMDD")
    arm: Arm | None = None
    frame_class: FrameClass | None = None
    state: FrameState | None = None
    field: Text | None = Field(default=None, description="Field label, whole")
    run: int | None = Field(default=None, ge=0, le=9999)
    q: Text | None = Field(default=None, description="Part of the object's, field's or file's name")


class ReductionQuestion(Paged):
    """Which reductions."""

    night: NightText | None = Field(default=None, description="YYYYMMDD")
    state: ReductionState | None = None
    kind: ReductionKind | None = None
    frame: Text | None = Field(default=None, description="Identifier of a frame that is read")


class ProductQuestion(Paged):
    """Which products."""

    night: NightText | None = Field(default=None, description="YYYYMMDD")
    field: Text | None = Field(default=None, description="Field label, whole")
    kind: ProductKind | None = None
    arm: Arm | None = None
    frame: Text | None = Field(default=None, description="Identifier of a frame that went into it")
    current: bool = Field(default=True, description="Current versions only")
    spectra: bool = Field(default=False, description="Products with spectra of targets only")


class NightQuestion(Question):
    """Which night."""

    night: NightText | None = Field(default=None, description="YYYYMMDD; absent: the newest")


class NoQuestion(Question):
    """Nothing to ask."""


class FibreQuestion(Question):
    """Which fibre of a product is shown first."""

    fibre: Fibre | None = Field(default=None, description="Row of the product, from 1")
