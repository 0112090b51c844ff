"""A frame as the matcher keeps it: its facts, its keys, and when it was first heard of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from schemas.frames import CameraKey, DetectorKey, FibreKey, Frame


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame that the matcher has heard of.

    Attributes
    ----------
    seen_at
        When it was first heard of (UTC).
    subject
        Whether it is to be reduced. Frames that were only indexed from an archive may serve others.
    """

    frame: Frame
    seen_at: datetime
    subject: bool = True
    camera: CameraKey = field(init=False, compare=False, repr=False)
    detector: DetectorKey = field(init=False, compare=False, repr=False)
    fibres: FibreKey | None = field(init=False, compare=False, repr=False)
    frame_id: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "camera", self.frame.camera_key)
        object.__setattr__(self, "detector", self.frame.detector_key)
        object.__setattr__(self, "fibres", self.frame.fibre_key)
        object.__setattr__(self, "frame_id", self.frame.frame_id)


@dataclass(frozen=True, slots=True)
class JunkMark:
    """A person's word on whether a frame is unusable."""

    junked: bool
    reason: str
    who: str
    at: datetime
