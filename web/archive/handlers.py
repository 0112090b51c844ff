"""The archive's part of the interface for programs."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from paws.matching.policy import MatchPolicy
from web.api.endpoint import ApiRoute, Asked
from web.api.models import Answer, Real
from web.archive.asking import cone_of
from web.archive.prospects import document_of, retrospect
from web.archive.questions import ArchiveFrameQuestion, ArchiveQuestion
from web.archive.telling import tell
from web.problems import NotFoundError
from web.storage import archive as store


class ArchiveFrame(Answer):
    """A raw frame of the archive."""

    frame_id: str
    night: str = Field(description="YYYYMMDD, the civil date at the site when the night began")
    run: int
    arm: str
    name: str
    frame_class: str = Field(description="NDFCLASS")
    object_name: str
    field: str
    plate: int | None
    instrument: str
    grating: str
    central_wavelength: int = Field(description="Angstrom")
    exposed: Real = Field(description="Seconds")
    utmjd: float = Field(description="Start of the exposure, modified Julian date (UTC)")
    airmass: Real | None
    ra: float | None = Field(description="Centre of the field, degrees; none without fibres")
    dec: float | None
    proposal: str
    state: str
    level: int | None
    provisional: bool | None


class ArchivePage(Answer):
    """Part of an answer of the archive."""

    items: list[ArchiveFrame]
    total: int = Field(description="Frames found, as far as they were counted")
    more: bool = Field(description="Whether there are more than were counted")
    limit: int
    offset: int


class RefusedFrame(Answer):
    """A candidate that was passed over."""

    frame_id: str
    reason: str


class CalibrationPick(Answer):
    """What serves in a role."""

    role: str
    mandatory: bool
    level: int | None = Field(description="0 the best to 4; none when there is nothing")
    age_hours: float | None = Field(description="Calibration minus frame")
    source_frame_ids: list[str] = Field(description="Frames it is made from, as far as they may be named")
    reason: str
    refused: list[RefusedFrame]


class Prospects(Answer):
    """What a frame would be reduced with, if it were reduced now."""

    frame_id: str
    aside: str = Field(description="Why it would not be reduced; empty if it would")
    level: int | None = Field(description="Worst level among the mandatory calibrations")
    lacks: list[str] = Field(description="Mandatory calibrations that are not there")
    roles: list[CalibrationPick]


async def archive_frames(asked: Asked) -> ArchivePage:
    """Frames of the archive."""
    ask = asked.question
    cone = await cone_of(ask, asked.state.resolver)
    found = await store.find(asked.state.pool, ask, cone, asked.sight)
    items = [
        ArchiveFrame.model_validate({name: row[name] for name in ArchiveFrame.model_fields})
        for row in found.rows
    ]
    return ArchivePage(items=items, total=found.total, more=found.more, limit=ask.limit, offset=ask.offset)


async def archive_calibrations(asked: Asked) -> Prospects:
    """What a frame would be reduced with."""
    frame_id = asked.question.frame
    rows = await store.rows_of(asked.state.pool, [frame_id], asked.sight)
    if not rows:
        raise NotFoundError("There is no such frame.")
    policy = MatchPolicy.of(asked.state.settings)
    found = await retrospect(asked.state.pool, rows[0]["night"], [frame_id], policy)
    told, _names = await tell(asked.state.pool, [document_of(found.prospects[frame_id])], asked.sight)
    return Prospects.model_validate(told[0])


ARCHIVE_API: Final = (
    ApiRoute(
        "/api/archive/frames",
        "Frames of the archive, by night, class, place on the sky, object, set-up, proposal and more",
        archive_frames,
        ArchivePage,
        ArchiveQuestion,
        "archive",
    ),
    ApiRoute(
        "/api/archive/calibrations",
        "What a frame would be reduced with: level, age, reason and what was passed over, by the rules of the live night",
        archive_calibrations,
        Prospects,
        ArchiveFrameQuestion,
        "archive",
        statuses={404: "There is no such frame"},
    ),
)
