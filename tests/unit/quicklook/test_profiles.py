"""Where the centre of a fibre's profile is when the profile is lopsided."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from quicklook.profiles import OFFSETS, fit_profile, gaussian_profile
from quicklook.scattered import no_background

ROWS, COLUMNS, PITCH = 400, 256, 10.0


def lopsided(offset):
    """Two Gaussians of unlike weight, summed over pixels; the centroid is at zero, the peak is not."""
    result = np.zeros_like(offset)
    for weight, place in ((0.7, -0.54), (0.3, 1.26)):
        edges = (offset[..., None] - place + np.array([-0.5, 0.5])) / (np.sqrt(2.0) * 1.2)
        result += 0.5 * weight * np.diff(erf(edges), axis=-1)[..., 0]
    return result


def test_a_lopsided_profile_is_centred_on_its_light():
    rng = np.random.default_rng(8)
    # Gaps and fibres of different light: evenly lit ones at one distance leave much undecided.
    base = np.delete(PITCH * (np.arange(38) + 1.0) + 0.4 * rng.standard_normal(38), [4, 11, 19, 27, 33])
    light = rng.uniform(1000.0, 3000.0, len(base))
    centre = base[:, None] + 1.3 * np.linspace(-1.0, 1.0, COLUMNS)[None, :]
    rows = np.arange(ROWS, dtype=float)
    image = np.stack([lopsided(rows[:, None] - centre[:, x]) @ light for x in range(COLUMNS)])
    model, _ = fit_profile(
        image.astype(np.float32), np.full((1, 1), 16.0, dtype=np.float32), centre + 0.2, np.arange(COLUMNS),
        np.repeat(light[:, None], COLUMNS, axis=1), 3.4, gaussian_profile(3.4), no_background(ROWS, COLUMNS),
    )  # fmt: skip
    near = np.abs(OFFSETS) <= 5.0
    for zone in model.table.reshape(-1, len(OFFSETS)):
        assert abs(np.sum(zone[near] * OFFSETS[near]) / zone[near].sum()) < 0.01
        assert OFFSETS[np.argmax(zone)] < -0.15
