"""A frame as the matcher keeps it: its facts, its keys, and when it was first heard of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.frames import CameraKey, DetectorKey, FibreKey, Frame
from schemas.reductions import ParameterValue


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


Parameters = tuple[tuple[str, ParameterValue], ...]
"""Parameters of a reduction by 2dFdr's names in capitals, in order."""


@dataclass(frozen=True, slots=True)
class ParameterMark:
    """A person's word on the parameters that a frame is reduced with; empty when taken back."""

    parameters: Parameters
    reason: str
    who: str
    at: datetime


def in_order(parameters: Mapping[str, ParameterValue]) -> Parameters:
    """Parameters as they are compared. Their values are typed: `schemas.parameters` reads them."""
    return tuple(sorted((name.upper(), value) for name, value in parameters.items()))
