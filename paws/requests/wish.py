"""What somebody wants: an engine, parameters that differ from the default, and what is to be made. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import Field

from paws.matching.policy import MatchPolicy
from schemas.frames import Model
from schemas.parameters import by_kind
from schemas.reductions import ParameterValue
from schemas.vocabulary import CalibrationLevel, FrameClass

LEAVABLE: Final[dict[str, tuple[FrameClass, str]]] = {
    "bias": (FrameClass.BIAS, "bias frames"),
    "dark": (FrameClass.DARK, "dark frames"),
    "lflat": (FrameClass.LFLAT, "long-slit flats"),
    "thput": (FrameClass.MFSKY, "offset-sky and twilight frames"),
}
"""Optional calibrations that may be left out, by the word for it."""


class Options(Model):
    """What is made, and of which calibrations."""

    combine: bool = Field(default=True, description="Combine the exposures of a field")
    splice: bool = Field(default=True, description="Join the blue and the red arm")
    max_level: int = Field(
        default=int(CalibrationLevel.SAME_RUN),
        ge=0,
        le=4,
        description="Worst calibration level that is taken",
    )
    without: tuple[str, ...] = Field(
        default=(), max_length=len(LEAVABLE), description="Optional calibrations that are left out"
    )


@dataclass(frozen=True)
class Wish:
    """Everything that decides which reductions a set of frames needs.

    Attributes
    ----------
    parameters
        What differs from the default, checked by `schemas.parameters.read_values`.
    """

    engine: str
    engine_version: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    @property
    def variant(self) -> str:
        """Short name of engine and parameters: it names slots beside the night's plan."""
        document = [self.engine, self.engine_version, sorted(self.parameters.items())]
        return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:12]

    @property
    def left_out(self) -> frozenset[FrameClass]:
        """Classes of calibrations that are not taken."""
        return frozenset(LEAVABLE[word][0] for word in self.options.without if word in LEAVABLE)

    def policy(self, site: MatchPolicy) -> MatchPolicy:
        """Rules of matching for this wish: the site's, with its engine, parameters and levels.

        What somebody asks for stands before what the site sets for every reduction.
        """
        return replace(
            site,
            engine=self.engine,
            engine_version=self.engine_version,
            engines=(),
            changes=by_kind(self.parameters),
            max_level=CalibrationLevel(self.options.max_level),
        )
