"""What stands in the observing log about a frame. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from paws.clock import from_mjd
from schemas.frames import Frame
from schemas.vocabulary import FrameState

_LONGEST_RESULT = 300


@dataclass(frozen=True)
class FrameOutcome:
    """What became of a frame: a row of the view ``frame_status``.

    Attributes
    ----------
    signal_to_noise
        Median per Angstrom.
    """

    state: FrameState
    reason: str = ""
    level: int | None = None
    provisional: bool = False
    signal_to_noise: float | None = None


@dataclass(frozen=True)
class LogEntry:
    """A row of the table ``observing_log``; fields are its columns, in their units."""

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
    exposed: float
    airmass: float | None
    proposal: str
    level: int | None
    signal_to_noise: float | None
    result: str


def log_entry(frame: Frame, outcome: FrameOutcome) -> LogEntry:
    """Log entry of a frame as things stand: it depends on nothing earlier, so the order of events is idle."""
    reduced = outcome.state is FrameState.REDUCED
    return LogEntry(
        frame_id=frame.frame_id,
        night=frame.night,
        run=frame.run,
        arm=frame.arm.value,
        ut_start=from_mjd(frame.utmjd),
        frame_class=frame.frame_class.value,
        object_name=frame.object_name,
        field=frame.field,
        plate=frame.plate,
        grating=frame.grating,
        central_wavelength=frame.central_wavelength or None,
        exposed=frame.exposed,
        airmass=frame.airmass,
        proposal=frame.proposal,
        level=outcome.level if reduced else None,
        signal_to_noise=outcome.signal_to_noise if reduced else None,
        result=result_text(outcome),
    )


def result_text(outcome: FrameOutcome) -> str:
    """What became of a frame, in words; empty while that is open."""
    match outcome.state:
        case FrameState.REDUCED:
            return "reduced, provisional" if outcome.provisional else "reduced"
        case FrameState.FAILED | FrameState.SET_ASIDE | FrameState.JUNKED | FrameState.REJECTED:
            words = outcome.state.value.replace("_", " ")
            return (f"{words}: {outcome.reason}" if outcome.reason else words)[:_LONGEST_RESULT]
        case FrameState.ARRIVED | FrameState.WAITING | FrameState.QUEUED | FrameState.RUNNING:
            return ""
