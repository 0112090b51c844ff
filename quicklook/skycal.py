"""Where the sky lines fall in a science frame: the zero point of its wavelengths, and the drift since the arc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quicklook.linefit import fit_lines
from quicklook.linelists import LineList, blended, faint_sky_lines, sky_lines

FloatArray = NDArray[np.float64]
AnyFloat = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

LIGHT_SPEED = 299792.458
"""km/s."""

SMALLEST_DRIFT = 0.02
"""A shift below this is not told from errors of the sky-line list and is not applied [pixel]."""

SIGNIFICANT = 2.5
"""Errors beyond which a tilt along the slit is believed."""

WORTH = 1.5
"""Errors beyond which a shift is corrected. Spectra always move a little: what is left in because a single line tells it to
0.03 pixel must stay below 0.05."""

COMPANIONS = 0.04
"""A line counts if other lines within a resolution element have at most this fraction of its light."""

MAX_PULL = 0.03
"""A line counts if faint lines beside it pull its centre by at most this fraction of a resolution element: their
strengths change through the night, by a third or so."""


@dataclass(frozen=True, eq=False)
class SkyShift:
    """Displacement of the sky lines from their listed wavelengths.

    Attributes
    ----------
    pixels : float
        Median over lines and fibres [pixel]; positive when lines appear at too long wavelengths.
    tilt : float
        Change from the middle to the top of the slit [pixel].
    error : float
        Of ``pixels``.
    lines : int
        Lines that were measured.
    mad, rms : float
        Spread of the lines' own shifts [pixel].
    dispersion : float
        Angstrom per pixel.
    wavelength : float
        Mean wavelength of the lines [Angstrom].
    sigma : float
        Median Gaussian width of the lines [pixel].
    """

    pixels: float = 0.0
    tilt: float = 0.0
    error: float = float("inf")
    lines: int = 0
    mad: float = float("nan")
    rms: float = float("nan")
    dispersion: float = 1.0
    wavelength: float = 5000.0
    sigma: float = float("nan")

    @property
    def significant(self) -> bool:
        """Whether the shift is worth correcting."""
        return self.lines > 0 and abs(self.pixels) > max(SMALLEST_DRIFT, WORTH * self.error)

    @property
    def velocity(self) -> float:
        """The shift as a velocity [km/s]."""
        return self.pixels * self.dispersion / self.wavelength * LIGHT_SPEED


def measure_shift(
    flux: AnyFloat, variance: AnyFloat, wavelength: FloatArray, fibres: BoolArray, fwhm: float
) -> SkyShift:
    """Measure the displacement of the sky lines.

    Parameters
    ----------
    flux, variance : ndarray (400, columns)
        Spectra on their own pixels, before sky subtraction [electron].
    wavelength : ndarray (400, columns)
        Angstrom.
    fibres : ndarray of bool (400,)
        Fibres to use.
    fwhm : float
        Spectral resolution [pixel].

    Returns
    -------
    SkyShift
        With ``lines == 0`` when no line could be measured.
    """
    chosen = np.nonzero(fibres)[0]
    if chosen.size < 3:
        return SkyShift()
    step = float(np.median(np.diff(wavelength[chosen], axis=1)))
    lines, targets = usable_lines(float(wavelength.min()), float(wavelength.max()), fwhm * step)
    if not targets.size:
        return SkyShift(dispersion=step)
    columns = np.arange(wavelength.shape[1], dtype=np.float64)
    expected = np.array([np.interp(lines.wavelength, wavelength[f], columns, np.nan, np.nan) for f in chosen])
    fit = fit_lines(
        flux[chosen], variance[chosen], expected, targets, np.full((chosen.size, targets.size), fwhm / 2.355),
        free_width=True, strength=lines.intensity,
    )  # fmt: skip
    offset = fit.centre - expected[:, targets]
    seen = np.isfinite(offset) & (fit.amplitude > 8 * fit.amplitude_error) & (fit.error < 0.3)
    seen &= (fit.sigma > 0.6 * fwhm / 2.355) & (fit.sigma < 1.6 * fwhm / 2.355)
    enough = seen.sum(axis=0) >= max(3, 0.3 * chosen.size)
    if not enough.any():
        return SkyShift(dispersion=step)
    offset, seen, error = offset[:, enough], seen[:, enough], fit.error[:, enough]
    means, errors = _line_shifts(offset, error, seen)
    shift = weighted_median(means, 1.0 / (errors**2 + 0.03**2))
    close = np.abs(means - shift) < max(0.15, 3 * 1.48 * float(np.median(np.abs(means - shift))))
    shift = float(np.average(means[close], weights=1.0 / (errors[close] ** 2 + 0.03**2)))
    spread = float(np.std(means[close])) if close.sum() > 2 else 0.03
    tilt = _tilt(offset - means, error, seen, chosen, len(wavelength))
    return SkyShift(
        pixels=shift,
        tilt=tilt,
        error=float(np.hypot(spread / np.sqrt(close.sum()), 1 / np.sqrt(np.sum(1 / errors[close] ** 2)))),
        lines=int(close.sum()),
        mad=float(np.median(np.abs(means[close] - shift))),
        rms=spread,
        dispersion=step,
        wavelength=float(lines.wavelength[targets][enough][close].mean()),
        sigma=float(np.median(fit.sigma[:, enough][seen])),
    )


def apply_shift(wavelength: FloatArray, shift: SkyShift) -> FloatArray:
    """Wavelengths corrected for a shift (and its tilt along the slit)."""
    slit = np.linspace(-1.0, 1.0, len(wavelength))[:, np.newaxis]
    pixels = shift.pixels + (shift.tilt if abs(shift.tilt) > SMALLEST_DRIFT else 0.0) * slit
    return np.asarray(wavelength - pixels * np.gradient(wavelength, axis=1))


def usable_lines(first: float, last: float, fwhm: float) -> tuple[LineList, NDArray[np.intp]]:
    """Sky lines in a range [Angstrom], and which of them stand clear of others at a resolution.

    Lines closer than half a resolution element count as one at their mean. The lines that are returned hold the faint
    ones beside them too.
    """
    margins = (first - 2 * fwhm, last + 2 * fwhm)
    lines, faint = blended(sky_lines().within(*margins), 0.5 * fwhm), faint_sky_lines().within(*margins)
    chosen = []
    for i, (w, flux) in enumerate(zip(lines.wavelength, lines.intensity, strict=True)):
        distance = np.abs(lines.wavelength - w)
        near = (distance < 1.1 * fwhm) & (distance > 0)
        alone = (
            lines.intensity[near].sum() < COMPANIONS * flux
            and abs(_pull(w, faint, fwhm)) < MAX_PULL * fwhm * flux
        )
        if alone and first + 3 * fwhm < w < last - 3 * fwhm:
            chosen.append(i)
    order = np.argsort(np.r_[lines.wavelength, faint.wavelength], kind="stable")
    everything = LineList(
        np.r_[lines.wavelength, faint.wavelength][order],
        np.r_[lines.intensity, faint.intensity][order],
        np.r_[lines.species, faint.species][order],
    )
    return everything, np.argsort(order)[np.array(chosen, dtype=np.intp)]


def _pull(wavelength: float, faint: LineList, fwhm: float) -> float:
    """By how much faint lines would pull the fitted centre of a line of unit flux at some wavelength [Angstrom].

    A Gaussian of relative flux r at a distance d adds r G(x - d), of which a fit finds the part along G'(x): r d
    exp(-d^2 / 4 sigma^2).

    Pulls from either side cancel: most are hydroxyl's, as the line is, and change together. To add them up as if each
    changed alone leaves 18 lines of 43 in 385R and doubles the error of their mean.
    """
    distance = faint.wavelength - wavelength
    sigma = fwhm / 2.355
    return float(np.sum(faint.intensity * distance * np.exp(-0.25 * (distance / sigma) ** 2)))


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """The value at which half the weight is reached."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def _line_shifts(offset: FloatArray, error: FloatArray, seen: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Median offset of each line over the fibres, with its error."""
    means, errors = np.zeros(offset.shape[1]), np.zeros(offset.shape[1])
    for j in range(offset.shape[1]):
        k = seen[:, j]
        values = offset[k, j]
        middle = float(np.median(values))
        close = np.abs(values - middle) < 4 * np.maximum(error[k, j], 0.02) + 0.05
        weight = 1.0 / (error[k, j][close] ** 2 + 0.02**2)
        means[j] = np.average(values[close], weights=weight) if close.any() else middle
        errors[j] = 1.25 / np.sqrt(weight.sum()) if close.any() else 1.0
    return means, errors


def _tilt(
    residual: FloatArray, error: FloatArray, seen: BoolArray, fibres: NDArray[np.intp], n_fibres: int
) -> float:
    """Slope of the shift along the slit, zero unless significant."""
    slit = np.broadcast_to(np.linspace(-1, 1, n_fibres)[fibres][:, np.newaxis], residual.shape)
    keep = seen & (np.abs(residual) < 0.5)
    if keep.sum() < 30:
        return 0.0
    weight = 1.0 / (error[keep] ** 2 + 0.03**2)
    s, r = slit[keep], residual[keep]
    s = s - np.average(s, weights=weight)
    power = float(np.sum(weight * s * s))
    slope = float(np.sum(weight * s * r)) / power if power > 0 else 0.0
    return slope if power > 0 and abs(slope) > SIGNIFICANT / np.sqrt(power) else 0.0
