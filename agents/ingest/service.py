"""What becomes of an inspected file, given what is already known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agents.ingest.inspect import Inspection
from agents.ingest.names import folder_night, printable
from paws.clock import from_nanoseconds, night_of
from schemas.events import FrameRejected
from schemas.frames import Frame


class Admission(StrEnum):
    """What becomes of a valid frame."""

    NEW = "new"
    KNOWN = "known"
    ADOPTED = "adopted"
    MOVED = "moved"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Holder:
    """The frame that is registered under a night and a name.

    Attributes
    ----------
    present
        Whether its file is still there.
    live
        Whether it was announced; a frame of an archive was not.
    """

    frame_id: str
    path: str
    present: bool
    live: bool = True


@dataclass(frozen=True)
class AdmissionDecision:
    """Decision on a valid frame, with its reason."""

    admission: Admission
    reason: str


def admit(frame: Frame, holders: Sequence[Holder]) -> AdmissionDecision:
    """Decide whether a frame is new.

    Parameters
    ----------
    frame
        A valid frame.
    holders
        Frames registered under the same night and name.
    """
    for holder in holders:
        if holder.frame_id != frame.frame_id:
            continue
        if not holder.live:
            return AdmissionDecision(Admission.ADOPTED, "known from an archive, and seen live now")
        if holder.path == frame.path or holder.present:
            return AdmissionDecision(Admission.KNOWN, f"already registered as {holder.frame_id}")
        return AdmissionDecision(Admission.MOVED, f"its file was moved here from {holder.path}")
    if holders:
        holder = holders[0]
        where = "at this very path, before it was overwritten" if holder.path == frame.path else holder.path
        return AdmissionDecision(
            Admission.DUPLICATE,
            f"Night {frame.night} already has another frame named {frame.name}, with other content: "
            f"{holder.frame_id} ({where}). It stays the valid one. Give this file its own run number; "
            "if it should replace the other, junk that one and rename this.",
        )
    return AdmissionDecision(Admission.NEW, "not seen before")


@dataclass(frozen=True)
class Rejection:
    """A file that cannot be used, as it is recorded and announced."""

    path: str
    name: str
    night: str
    size_bytes: int
    mtime_ns: int
    code: str
    reason: str

    def event(self, at: datetime) -> FrameRejected:
        """Event that tells of it. The same content is announced once."""
        return FrameRejected(
            event_id=f"{self.path}:{self.mtime_ns}",
            night=self.night,
            at=at,
            path=self.path,
            name=self.name,
            size_bytes=self.size_bytes,
            code=self.code,
            reason=self.reason,
        )


def rejection(
    inspection: Inspection, longitude: float, code: str | None = None, reason: str | None = None
) -> Rejection:
    """Rejection of an inspected file. Its night is that of its folder, else of its last change."""
    changed = from_nanoseconds(max(0, inspection.signature.mtime_ns))
    path = printable(inspection.path)
    return Rejection(
        path=path,
        name=path.rsplit("/", 1)[-1][:200],
        night=folder_night(path) or night_of(changed, longitude),
        size_bytes=max(0, inspection.signature.size),
        mtime_ns=inspection.signature.mtime_ns,
        code=code or inspection.code,
        reason=reason or inspection.reason,
    )
