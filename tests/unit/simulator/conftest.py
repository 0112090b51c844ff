from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from simulator import NightPlan, Observatory, WrittenFrame, plan_night, write_night


@dataclass(frozen=True)
class Night:
    """A tiny night of one arm on disk: bias, flat, arc, one science frame, with truth."""

    plan: NightPlan
    observatory: Observatory
    raw: Path
    truth: Path
    frames: list[WrittenFrame]

    def frame(self, frame_class: str) -> WrittenFrame:
        return next(frame for frame in self.frames if frame.frame_class == frame_class)

    def truth_of(self, frame_class: str) -> dict[str, np.ndarray]:
        with np.load(self.truth / f"{self.frame(frame_class).path.stem}.npz") as arrays:
            return dict(arrays)

    def electrons_of(self, frame_class: str) -> np.ndarray:
        """Image in electrons with the overscan's mean taken off, row by row smoothed."""
        with fits.open(self.frame(frame_class).path) as hdus:
            counts = hdus[0].data.astype(np.float64)
            gain = hdus[0].header["RO_GAIN"]
        level = np.convolve(
            np.pad(counts[:, 2048:].mean(axis=1), 50, mode="edge"), np.ones(101) / 101, "valid"
        )
        return (counts[:, :2048] - level[:, None]) * gain


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    plan = plan_night("20260312", fields=1, exposures=1, seed=7, arms=["red"], biases=1, darks=0)
    raw, truth = tmp_path_factory.mktemp("raw folder"), tmp_path_factory.mktemp("truth")
    frames = write_night(raw, plan, truth, jobs=2)
    return Night(plan, Observatory(plan), raw, truth, frames)
