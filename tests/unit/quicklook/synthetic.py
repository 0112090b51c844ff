"""Extracted spectra with known truth, made from formulae of their own (no simulator, no quicklook optics)."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

GRATINGS = {
    # name: (lines/mm, central wavelength, slant)
    "580V": (582.0, 4800.0, 0.7),
    "385R": (383.0, 7250.0, 0.6),
    "1700D": (1700.0, 8600.0, 0.2),
    "1000R": (1001.0, 6800.0, 1.2),
    "1700B": (1700.0, 4000.0, 0.2),
    "1500V": (1500.0, 5000.0, 0.0),
    "3200B": (3200.0, 4000.0, 0.0),
    "2500V": (2500.0, 5000.0, 0.0),
    "2000R": (2000.0, 6500.0, 0.0),
    "1000I": (1000.0, 8500.0, 1.8),
    "1700I": (1700.0, 8600.0, 0.7),
}


def header(grating: str = "580V", **more) -> fits.Header:
    ruling, centre, slant = GRATINGS[grating]
    # Symmetric set-up: sin g = n lambda / 2.
    angle = np.degrees(np.arcsin(ruling * centre * 1e-7 / 2))
    result = fits.Header()
    result["GRATID"] = grating
    result["GRATLPMM"] = ruling
    result["ORDER"] = 1
    result["GRATANGL"] = angle
    result["CAMANGL"] = 2 * angle
    result["GRATTILT"] = slant
    result["LAMPNAME"] = "CuAr"
    result["INSTRUME"] = "AAOMEGA-2dF"
    for key, value in more.items():
        result[key] = value
    return result


def true_wavelengths(grating: str, *, shift: float = 0.0, seed: int = 0, jitter: float = 0.05) -> np.ndarray:
    """Wavelengths (400, 2048) with a camera distortion and fibres a little out of line."""
    ruling, centre, _ = GRATINGS[grating]
    rng = np.random.default_rng(seed)
    g = np.arcsin(ruling * centre * 1e-7 / 2)
    x = np.arange(2048.0)[None, :] - 1023.5
    y = (np.arange(400)[:, None] - 199.5) / 199.5
    u = x / 1023.5
    x = x + shift + 1.2 * y + 0.8 * u**3 - 0.5 * u * y**2 + 0.3 * u**2 * y
    x = x + rng.normal(0, jitter, (400, 1))
    on_axis = 1e7 * (np.sin(g) + np.sin(g + x * 0.015 / 247.0)) / ruling
    return on_axis * np.cos(y * 72.5 / (3.15 * 190.0))


def emission(
    wavelength: np.ndarray, lines: np.ndarray, counts: np.ndarray, *, sigma: float = 1.45
) -> np.ndarray:
    """Electrons per pixel of Gaussian lines (``counts`` electrons each), integrated over pixels."""
    from scipy.special import erf

    result = np.zeros(wavelength.shape)
    columns = np.arange(wavelength.shape[1], dtype=float)
    for f, row in enumerate(wavelength):
        at = np.interp(lines, row, columns, np.nan, np.nan)
        for x0, n in zip(at, counts, strict=True):
            if not np.isfinite(x0):
                continue
            a, b = max(0, int(x0 - 12)), min(columns.size, int(x0 + 13))
            edges = np.arange(a, b + 1) - 0.5
            result[f, a:b] += n * 0.5 * np.diff(erf((edges - x0) / (sigma * np.sqrt(2))))
    return result


def noisy(electrons: np.ndarray, *, read: float = 10.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Poisson and read-out noise; returns (flux, variance) as float32."""
    rng = np.random.default_rng(seed)
    flux = rng.poisson(np.maximum(electrons, 0)) + rng.normal(0, read, electrons.shape)
    variance = np.maximum(electrons, 0) + read**2
    return flux.astype(np.float32), variance.astype(np.float32)
