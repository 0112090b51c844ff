"""Questions to the archive. All that is asked stands in the address; every value is bounded."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.vocabulary import Arm
from web.questions import Paged, Question, Text

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f/]+$")]
Night = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}$"),
    AfterValidator(lambda text: text.replace("-", "")),
]
Seconds = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class ArchiveClass(StrEnum):
    """Classes that can be asked for: each one of `FrameClass`, all science, or all calibrations."""

    SCIENCE = "science"
    CALIBRATION = "calibration"
    BIAS = "BIAS"
    DARK = "DARK"
    LFLAT = "LFLAT"
    MFFFF = "MFFFF"
    MFARC = "MFARC"
    MFSKY = "MFSKY"
    MFOBJECT = "MFOBJECT"
    MFFLX = "MFFLX"


class ArchiveSort(StrEnum):
    """Orders of the list; those with a minus sign go down."""

    NEWEST = "-night"
    OLDEST = "night"
    OBJECT = "object"
    OBJECT_DOWN = "-object"
    FIELD = "field"
    FIELD_DOWN = "-field"
    CLASS = "class"
    CLASS_DOWN = "-class"
    GRATING = "grating"
    GRATING_DOWN = "-grating"
    EXPOSED = "exposed"
    EXPOSED_DOWN = "-exposed"
    DISTANCE = "distance"
    DISTANCE_DOWN = "-distance"

    @property
    def column(self) -> str:
        """What is sorted by."""
        return self.value.removeprefix("-")

    @property
    def down(self) -> bool:
        """Whether the greatest comes first."""
        return self.value.startswith("-")


class ArchiveQuestion(Paged):
    """Which frames of the archive."""

    night: Night | None = Field(default=None, description="One night, YYYYMMDD or YYYY-MM-DD")
    first_night: Night | None = Field(default=None, description="First night of a range")
    last_night: Night | None = Field(default=None, description="Last night of a range")
    frame_class: ArchiveClass | None = Field(default=None, description="NDFCLASS, or science, or calibration")
    position: Text | None = Field(
        default=None,
        min_length=1,
        description="Centre of a cone: degrees, hours and degrees, or the name of an object (asked of CDS Sesame)",
    )
    radius: float = Field(
        default=1.0, gt=0, le=30, allow_inf_nan=False, description="Radius of the cone, degrees"
    )
    object: Text | None = Field(default=None, description="Part of the object's name")
    field: Text | None = Field(default=None, description="Part of the field's name")
    instrument: Text | None = Field(default=None, description="Part of the instrument's name")
    grating: Text | None = Field(default=None, description="Grating, whole, such as 580V")
    arm: Arm | None = None
    plate: int | None = Field(default=None, ge=0, le=1)
    proposal: Text | None = Field(
        default=None, description="Proposal that the frames belong to: frames through the fibres only"
    )
    exposed_min: Seconds | None = Field(default=None, description="Least exposure time, s")
    exposed_max: Seconds | None = Field(default=None, description="Greatest exposure time, s")
    run: int | None = Field(default=None, ge=0, le=9999)
    name: Text | None = Field(default=None, description="Part of the file's name")
    sort: ArchiveSort = Field(default=ArchiveSort.NEWEST, description="Order; a minus sign goes down")

    @model_validator(mode="after")
    def _check(self) -> ArchiveQuestion:
        if self.sort.column == "distance" and self.position is None:
            raise ValueError("sorting by distance needs a position")
        return self

    def asked(self) -> dict[str, Any]:
        """What is asked, apart from which page in which order."""
        return _plain(self, {"limit", "offset", "sort", "view", "target"})

    def query(self, **changes: Any) -> str:
        """Query of the address that asks this, with changes; None takes a parameter out."""
        values = _plain(self, set()) | changes
        return urlencode({name: value for name, value in values.items() if value is not None})


class ArchivePageQuestion(ArchiveQuestion):
    """The same, with how the page shows it."""

    view: Literal["frames", "fields"] = Field(default="frames", description="One line a frame, or a field")
    target: Text | None = Field(default=None, description="Name whose coordinates the position holds")


class FieldQuestion(Question):
    """Which field of which night, or which frame's."""

    night: Night
    field: Text
    plate: int = Field(ge=0, le=1)
    frame: Identifier | None = Field(default=None, description="Frame that is shown open")


class ArchiveFrameQuestion(Question):
    """Which frame."""

    frame: Identifier = Field(description="Identifier of a frame")


def _plain(question: Question, left_out: set[str]) -> dict[str, Any]:
    return question.model_dump(mode="json", exclude=left_out, exclude_none=True, exclude_defaults=True)
