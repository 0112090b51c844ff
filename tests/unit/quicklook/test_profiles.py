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


def test_smooth_light_is_told_where_no_fibre_shines():
    rng = np.random.default_rng(3)
    rows, across = np.arange(1000.0), np.linspace(-1.0, 1.0, COLUMNS)
    centre = np.repeat((PITCH * (np.arange(40) + 1.0))[:, None], COLUMNS, axis=1)
    fluxes = np.full(centre.shape, 20000.0)
    smooth = 1000.0 + 300.0 * (rows[:, None] / 500.0 - 1.0) - 200.0 * across**2
    light = gaussian_profile(3.4)
    image = smooth + np.stack(
        [lopsided(rows[:, None] - centre[:, x]) @ fluxes[:, x] for x in range(COLUMNS)], axis=1
    )
    image = (image + np.sqrt(image) * rng.standard_normal(image.shape)).astype(np.float32).T.copy()
    floor, found = np.full((1, 1), 16.0, dtype=np.float32), no_background(1000, COLUMNS)
    # What the round before knew decides which pixels are hit.
    for _ in range(3):
        light, found = fit_profile(image, floor, centre, np.arange(COLUMNS), fluxes, 3.4, light, found)
    grid, grid_rows = found
    expected = smooth[np.rint(grid_rows).astype(int)]
    assert np.abs(grid - expected).max() < 15.0
