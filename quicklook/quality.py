"""Quality figures of reduced spectra: what the live page and the observer judge a frame by."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from quicklook import nanmath
from quicklook.types import AnyFloat, BoolArray, FloatArray

CARDS = {
    "traces_found": ("QTRACES", "fibre traces found in the flat"),
    "profile_fwhm": ("QFWHM", "width of the fibre profile (pixel)"),
    "arc_lines": ("QARCLIN", "arc lines used"),
    "arc_rms_pixels": ("QARCRMS", "scatter of the arc fit (pixel)"),
    "snr_median": ("QSNR", "median S/N per Angstrom of the objects"),
    "sky_residual": ("QSKYRES", "residual of sky lines in sky fibres (fraction)"),
    "sky_residual_noise": ("QSKYNSE", "the same over the expected noise"),
    "saturated_fraction": ("QSATUR", "saturated pixels (fraction)"),
    "cosmic_pixels": ("QCOSMIC", "pixels hit by cosmic rays"),
    "drift": ("QDRIFT", "shift of the fibres since the flat (pixel)"),
    "wavelength_drift": ("QWDRIFT", "shift of the wavelengths since the arc (pixel)"),
    "exposure_level": ("QLEVEL", "brightest light over full range"),
    "throughput_scatter": ("QTHPUT", "spread of the fibre throughputs (fraction)"),
}
"""Figure to keyword and comment of the product's header."""


REBINNED = 1.5
"""What rebinning takes from a pixel's variance, on average: shares p and 1 - p leave p^2 + (1 - p)^2, two thirds; the
rest sits in the covariance with the next pixels."""


def signal_to_noise(flux: AnyFloat, variance: AnyFloat, step: float, *, rebinned: bool = False) -> FloatArray:
    """Median signal-to-noise per Angstrom of each spectrum; NaN where there is none.

    Parameters
    ----------
    flux, variance : ndarray (fibres, pixels)
    step : float
        Angstrom per pixel.
    rebinned : bool
        Whether pixels share noise with their neighbours, as they do on a common grid.
    """
    result = np.full(len(flux), np.nan)
    with np.errstate(all="ignore"):
        ratio = np.where(variance > 0, flux / np.sqrt(variance), np.nan)
        some = np.isfinite(ratio).sum(axis=1) > 50
        result[some] = nanmath.median(ratio[some], axis=1)
    return np.asarray(result / np.sqrt(step * (REBINNED if rebinned else 1.0)))


def sky_residuals(
    flux: AnyFloat, variance: AnyFloat, sky: AnyFloat, sky_fibres: BoolArray
) -> tuple[float, float]:
    """What is left of the sky lines in the sky fibres.

    Parameters
    ----------
    flux, variance, sky : ndarray (400, columns)
        Sky-subtracted spectra, their variance, and the sky that was subtracted.
    sky_fibres : ndarray of bool (400,)

    Returns
    -------
    fraction : float
        Robust scatter of the residual in the pixels of sky lines, over the mean sky there.
    over_noise : float
        Robust scatter of residual over its expected noise, in the same pixels.
    """
    residual, noise, model = flux[sky_fibres], variance[sky_fibres], sky[sky_fibres]
    good = np.isfinite(residual) & (noise > 0) & np.isfinite(model)
    if good.sum() < 100:
        return float("nan"), float("nan")
    line = good & (model > np.maximum(3.0 * np.median(model[good]), 0.0))
    if line.sum() < 30:
        line = good & (model > np.percentile(model[good], 90))
    fraction = 1.48 * np.median(np.abs(residual[line])) / max(float(np.mean(model[line])), 1e-9)
    over_noise = 1.48 * np.median(np.abs(residual[line]) / np.sqrt(noise[line]))
    return float(fraction), float(over_noise)


def write_cards(header: fits.Header, figures: dict[str, object]) -> None:
    """Put the figures that have a keyword into a header."""
    for name, (keyword, comment) in CARDS.items():
        value = figures.get(name)
        if isinstance(value, int | float) and np.isfinite(value):
            header[keyword] = (round(float(value), 6), comment)
