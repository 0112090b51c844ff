"""Spectra with known differences."""

from __future__ import annotations

import numpy as np

from agents.compare.spectra import Spectra

FIBRES, PIXELS = 12, 1024
STEP = 1.5
WAVELENGTH = 6000.0 + STEP * np.arange(PIXELS)


def light(seed=0, shift=0.0, scale=1.0, noise=0.0, own=1):
    """Continuum and lines of twelve fibres; `shift` in pixels. The lines depend on the seed, the noise on `own`."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(20, PIXELS - 20, (FIBRES, 40))
    height = rng.uniform(100, 600, (FIBRES, 40))
    x = np.arange(PIXELS)
    lines = sum(
        height[:, [i]] * np.exp(-0.5 * ((x[None, :] - at[:, [i]] - shift) / 1.6) ** 2) for i in range(40)
    )
    flux = scale * (300.0 + lines)
    return flux + noise * np.random.default_rng(own).standard_normal(flux.shape)


def spectra(flux, *, variance=25.0, wavelength=WAVELENGTH, types="P" * FIBRES, seconds=1.0):
    return Spectra(
        np.asarray(flux, dtype=float),
        None if variance is None else np.full(np.shape(flux), float(variance)),
        wavelength,
        tuple(types),
        seconds,
    )
