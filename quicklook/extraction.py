"""Optimal extraction: the flux of every fibre in every column, all fibres of a column at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from quicklook.columns import (
    CORE,
    HALF,
    PIXELS,
    add_model,
    background_at_column,
    bank_at_column,
    column_buffers,
    evaluate,
    fit_column,
    flux_variance,
    normal_equations,
    reweight,
    solve,
)
from quicklook.cosmics import doubt, grow_hits, reject_pixels, sharp_spikes
from quicklook.drift import NO_DRIFT, Drift, measure_drift
from quicklook.errors import InvalidInput
from quicklook.fibres import N_FIBRES
from quicklook.profiles import profile_bank
from quicklook.scattered import no_background, scattered_light
from quicklook.tramlines import transposed_floor
from quicklook.types import FloatArray, Image, Parameters, Spectra, Tramlines

SUMMED = frozenset({"TRAM", "NEWTRAM", "SUM"})
FITTED = frozenset({"OPTEX", "CLOPTEX", "SMCOPTEX", "GAUSS", "FIT"})

LEAST_PROFILE = 0.4
"""A fibre of whose squared profile less than this falls on good pixels is bad in that column."""

SURVEYED = 160
"""Columns from which scattered light is measured."""


@dataclass(frozen=True)
class ExtractionOptions:
    """What the 2dFdr parameters ask of extraction.

    Attributes
    ----------
    summed : bool
        Sum the pixels of the core (EXTR_OPERATION TRAM, NEWTRAM or SUM) instead of fitting them.
    scattered : bool
        Subtract scattered light (SCATSUB other than NONE).
    follow : bool
        Measure and follow the shift of the frame (MSR_TLM_CREEP).
    cosmics : bool
        Reject cosmic rays (COSRAY_MTHD other than NONE).
    shift, rotation, scale : float
        By hand: SHIFTTLM [pixel], ROTTLM [degree], SCLTLM.
    """

    summed: bool = False
    scattered: bool = True
    follow: bool = True
    cosmics: bool = True
    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 1.0

    @classmethod
    def from_parameters(cls, params: Parameters | None) -> ExtractionOptions:
        """Read EXTR_OPERATION, SCATSUB, MSR_TLM_CREEP, COSRAY_MTHD, SHIFTTLM, ROTTLM and SCLTLM.

        Raises
        ------
        InvalidInput
            On a value that has no meaning.
        """
        params = params or {}
        operation = str(params.get("EXTR_OPERATION", "OPTEX")).upper()
        if operation not in SUMMED | FITTED:
            raise InvalidInput(
                f"EXTR_OPERATION = {operation} is not one of {', '.join(sorted(SUMMED | FITTED))}"
            )
        return cls(
            summed=operation in SUMMED,
            scattered=str(params.get("SCATSUB", "TRACE")).upper() != "NONE",
            follow=_logical(params, "MSR_TLM_CREEP", default=True),
            cosmics=str(params.get("COSRAY_MTHD", "FIT")).upper() != "NONE",
            shift=_number(params, "SHIFTTLM", 0.0, 50.0),
            rotation=_number(params, "ROTTLM", 0.0, 2.0),
            scale=1.0 + _number(params, "SCLTLM", 1.0, 1.05, around=1.0),
        )


def extract(image: Image, tramlines: Tramlines, params: Parameters | None = None) -> Spectra:
    """Extract the spectra of all lit fibres of a frame.

    Every column is a weighted least-squares problem in the fluxes of all its fibres with the profiles that
    the flat showed; weights come from the fitted model, not from the pixels, so that faint spectra are not
    biased. Before it, the shift since the flat and the scattered light are measured; during it, cosmic rays
    are rejected.

    Parameters
    ----------
    image : Image
    tramlines : Tramlines
    params : mapping, optional
        2dFdr parameters, see `ExtractionOptions.from_parameters`.

    Returns
    -------
    Spectra
        Rows of fibres that were dark in the flat are NaN.
    """
    return extract_with_mask(image, tramlines, params)[0]


def extract_with_mask(
    image: Image, tramlines: Tramlines, params: Parameters | None = None
) -> tuple[Spectra, Image]:
    """As `extract`; also return the image with its mask of cosmic rays filled in."""
    options = ExtractionOptions.from_parameters(params)
    n_rows, n_columns = image.data.shape
    if tramlines.centre.shape[1] != n_columns:
        raise InvalidInput(
            f"the tramline map has {tramlines.centre.shape[1]} columns where the frame has {n_columns}"
        )
    lit = np.nonzero(tramlines.lit)[0]
    frame = np.ascontiguousarray(image.data.T)
    floor = transposed_floor(image)
    centre = _by_hand(tramlines.centre[lit], options, n_rows)
    drift = NO_DRIFT
    if options.follow:
        drift = measure_drift(frame, floor, centre, tramlines.profile)
        centre = centre + drift.shift(centre, n_rows)
    bank = profile_bank(tramlines.profile)
    nodes = (tramlines.profile.row_nodes, tramlines.profile.column_nodes)
    halo = (tramlines.profile.halo_fraction, tramlines.profile.halo_length)
    grid, grid_rows = no_background(n_rows, n_columns)
    if options.scattered:
        columns = np.unique(np.linspace(0, n_columns - 1, min(SURVEYED, n_columns)).astype(np.int64))
        grid, grid_rows = scattered_light(frame, floor, columns, centre, bank, nodes, halo)
    hit = np.zeros(frame.shape, dtype=np.bool_)
    flux, variance = (np.full((len(lit), n_columns), np.nan) for _ in range(2))
    significance = np.zeros(frame.shape if options.cosmics else (1, 1), dtype=np.float32)
    every = np.arange(n_columns)
    work = (frame, floor, centre, bank, *nodes, grid, grid_rows, halo, hit, significance)
    _extract_kernel(*work, every, options.cosmics, options.summed, flux, variance)
    spikes = 0
    if options.cosmics:
        again = np.nonzero(grow_hits(significance, hit))[0]
        _extract_kernel(*work, again, False, options.summed, flux, variance)
        sharp = sharp_spikes(flux, variance)
        flux[sharp], variance[sharp] = np.nan, np.nan
        spikes = int(sharp.sum())
    # The profile is normalised over its table: what a fibre sends beyond belongs to it as well.
    flux *= 1.0 + halo[0]
    variance *= (1.0 + halo[0]) ** 2
    if tramlines.bad is not None:
        lost = tramlines.bad[lit]
        flux[lost], variance[lost] = np.nan, np.nan
    spectra = _spectra(lit, flux, variance, n_columns, image, options, drift, hit, spikes, grid)
    return spectra, replace(image, cosmic=np.ascontiguousarray(hit.T))


def _by_hand(centre: FloatArray, options: ExtractionOptions, n_rows: int) -> FloatArray:
    """Apply the shift, rotation and scale that an observer gave."""
    x = np.arange(centre.shape[1]) - 0.5 * (centre.shape[1] - 1)
    middle = 0.5 * (n_rows - 1)
    turned = np.tan(np.radians(options.rotation)) * x[None, :]
    return np.ascontiguousarray(middle + (centre - middle) * options.scale + turned + options.shift)


def _spectra(
    lit: NDArray[np.intp],
    flux: FloatArray,
    variance: FloatArray,
    n_columns: int,
    image: Image,
    options: ExtractionOptions,
    drift: Drift,
    hit: NDArray[np.bool_],
    spikes: int,
    grid: FloatArray,
) -> Spectra:
    full_flux, full_variance = (np.full((N_FIBRES, n_columns), np.nan, dtype=np.float32) for _ in range(2))
    full_flux[lit], full_variance[lit] = flux, variance
    how = (
        "summed over the core of the profile" if options.summed else "optimal, all fibres of a column at once"
    )
    history = [f"Extraction: {how}"]
    if drift.measured:
        history.append(
            f"Tramlines moved by {drift.offset:+.4f} pixel ({drift.along:+.4f} along, {drift.across:+.4f} across)"
        )
    elif options.follow:
        history.append("Tramlines not moved: too little light to measure a shift")
    if options.scattered:
        history.append(f"Scattered light subtracted, median {np.median(grid):.2f} electron per pixel")
    if options.cosmics:
        history.append(f"Cosmic rays: {int(hit.sum())} pixels rejected, {spikes} spectral pixels flagged")
    figures = dict(image.figures) | {
        "drift": drift.offset if drift.measured else float("nan"),
        "drift_along": drift.along,
        "drift_across": drift.across,
        "drift_error": drift.error if drift.measured else float("nan"),
        "scattered_light": float(np.median(grid)),
        "cosmic_pixels": float(hit.sum()),
        "cosmic_spikes": float(spikes),
        "bad_fraction": float(np.isnan(flux).mean()),
    }
    return Spectra(full_flux, full_variance, image.history + tuple(history), figures)


def _logical(params: Parameters, name: str, *, default: bool) -> bool:
    value = params.get(name, default)
    return str(value).strip().upper() in ("1", "TRUE", "T", "YES") if not isinstance(value, bool) else value


def _number(params: Parameters, name: str, default: float, limit: float, *, around: float = 0.0) -> float:
    """A bounded number of the parameters, relative to ``around``."""
    value = params.get(name, default)
    try:
        number = float(str(value))
    except ValueError:
        raise InvalidInput(f"{name} = {value} is not a number") from None
    if not abs(number - around) <= abs(limit - around):
        raise InvalidInput(f"{name} = {number:g} is further from {around:g} than makes sense")
    return number - around


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _extract_kernel(  # type: ignore[no-untyped-def]
    frame, floor, centres, bank, row_nodes, column_nodes, grid, grid_rows, halo, hit, significance, columns, reject,
    summed, fluxes, variances,
):  # fmt: skip
    """Solve columns; see `extract`. ``hit`` masks pixels on entry and, with ``reject``, gains those found."""
    ny = frame.shape[1]
    n = centres.shape[0]
    buffers = column_buffers(ny, n)
    w, model, diagonal, upper1, upper2, right, work, flux, _, _ = buffers
    table = np.empty((bank.shape[0], bank.shape[2], bank.shape[3]))
    first = np.empty(n, dtype=np.int64)
    profile, slope = np.empty((n, PIXELS)), np.empty((n, PIXELS))
    d, noise, background = np.empty(ny), np.empty(ny), np.empty(ny)
    for c in range(columns.shape[0]):
        x = columns[c]
        bank_at_column(bank, column_nodes, float(x), table)
        evaluate(centres[:, x], table, row_nodes, first, profile, slope)
        background_at_column(grid, grid_rows, x, background)
        for y in range(ny):
            d[y] = np.nan if hit[x, y] else frame[x, y] - background[y]
            noise[y] = floor[0, 0] if floor.shape[0] == 1 else floor[x, y]
        fit_column(d, noise, background, profile, first, halo, 3, buffers)
        if reject:
            if reject_pixels(d, noise, background, profile, slope, first, hit[x], buffers) > 0:
                reweight(noise, background, model, w)
                normal_equations(d, w, profile, first, diagonal, upper1, upper2, right)
                solve(diagonal, upper1, upper2, right, work, flux)
                add_model(flux, profile, first, model)
            _note_significance(d, w, noise, background, profile, slope, first, flux, model, significance[x])
        for j in range(n):
            good, whole = 0.0, 0.0
            extra, spread = 0.0, 0.0
            for k in range(PIXELS):
                y = first[j] + k
                p2 = profile[j, k] * profile[j, k]
                whole += p2
                if 0 <= y < ny and w[y] > 0.0:
                    good += p2
                    if abs(k - HALF) <= CORE:
                        extra += d[y] - model[y]
                        spread += 1.0 / w[y]
            if good < LEAST_PROFILE * whole:
                fluxes[j, x], variances[j, x] = np.nan, np.nan
            elif summed:
                # What the fit missed in the core is added: the sum, with bad pixels filled by the model.
                fluxes[j, x], variances[j, x] = flux[j] + extra, spread
            else:
                fluxes[j, x] = flux[j]
                variances[j, x] = flux_variance(diagonal, upper1, j)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _note_significance(d, w, noise, background, profile, slope, first, flux, model, out):  # type: ignore[no-untyped-def]
    """Excess over the model in the fibres' cores, in standard deviations."""
    ny = d.shape[0]
    for j in range(flux.shape[0]):
        for k in range(max(0, -first[j], HALF - CORE), min(PIXELS, ny - first[j], HALF + CORE + 1)):
            y = first[j] + k
            if w[y] == 0.0:
                continue
            v = noise[y] + max(background[y], 0.0) + max(model[y], 0.0)
            out[y] = (d[y] - model[y]) / np.sqrt(v + doubt(flux[j], profile[j, k], slope[j, k]))
