"""What may be asked of requests, and what a program sends to submit one. Everything is bounded."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from paws.requests.orders import MOST_FRAMES
from paws.requests.wish import LEAVABLE
from schemas.parameters import PARAMETERS
from schemas.vocabulary import Arm, CalibrationLevel, FrameClass, RequestState
from web.questions import NightText, Paged, Text

FrameId = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f/]*$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]*$")]
Value = Annotated[str, StringConstraints(max_length=60, pattern=r"^[^\x00-\x1f]*$")] | bool | int | float
LONGEST_TITLE = 120


class RequestQuestion(Paged):
    """Which requests."""

    state: RequestState | None = None
    engine: Text | None = Field(default=None, description="Name of the engine")
    who: Text | None = Field(default=None, description="Account that submitted it")
    mine: bool = Field(default=False, description="One's own only")
    q: Text | None = Field(default=None, description="Part of the title or of the identifier")


class Sent(BaseModel):
    """Base of what programs send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Select(Sent):
    """Frames chosen by what they are: those seen by whoever asks, junked ones left out."""

    nights: list[NightText] = Field(default_factory=list, max_length=100)
    first_night: NightText | None = None
    last_night: NightText | None = None
    fields: list[Word] = Field(default_factory=list, max_length=200, description="Field labels, whole")
    objects: list[Word] = Field(default_factory=list, max_length=200, description="Object names, whole")
    classes: list[FrameClass] = Field(
        default_factory=lambda: [FrameClass.MFOBJECT, FrameClass.MFFLX], min_length=1, max_length=8
    )
    arms: list[Arm] = Field(default_factory=list, max_length=2)
    plates: list[Annotated[int, Field(ge=0, le=1)]] = Field(default_factory=list, max_length=2)
    gratings: list[Word] = Field(default_factory=list, max_length=20)
    proposals: list[Word] = Field(default_factory=list, max_length=50)


class NewRequest(Sent):
    """A request to submit. Frames are named, or chosen by `select`."""

    frames: list[FrameId] = Field(
        default_factory=list, max_length=MOST_FRAMES, description="Frame identifiers"
    )
    select: Select | None = Field(
        default=None, description="Choose frames by what they are, a whole run at once"
    )
    engine: Text = Field(default="", description="Name of the engine; empty: the usual one")
    parameters: dict[Word, Value] = Field(
        default_factory=dict,
        max_length=len(PARAMETERS),
        description="What differs from the default: /api/parameters",
    )
    combine: bool = Field(default=True, description="Combine the exposures of a field")
    splice: bool = Field(default=True, description="Join the blue and the red arm")
    max_level: int = Field(
        default=int(CalibrationLevel.SAME_RUN),
        ge=0,
        le=4,
        description="Worst calibration level that is taken",
    )
    without: list[Word] = Field(
        default_factory=list,
        max_length=len(LEAVABLE),
        description=f"Calibrations to leave out: {', '.join(LEAVABLE)}",
    )
    title: Annotated[str, StringConstraints(max_length=LONGEST_TITLE, pattern=r"^[^\x00-\x1f]*$")] = ""
    mail: bool = Field(default=False, description="Mail its start and its end to the account's address")
    webhook: Annotated[str, StringConstraints(max_length=500)] = Field(
        default="", description="Address that is told of its start and its end, in signed messages"
    )
    nonce: Annotated[str, StringConstraints(max_length=100)] = Field(
        default="", description="Any text of the program's own: sent twice with the same, it is one request"
    )
