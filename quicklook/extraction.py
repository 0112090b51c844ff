"""Optimal extraction: the flux of every fibre in every column, all fibres of a column at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quicklook.badpixels import without_bad
from quicklook.contrast import wings_by_contrast
from quicklook.cosmics import sharp_spikes
from quicklook.drift import NO_DRIFT, Drift, measure_drift
from quicklook.errors import InvalidInput
from quicklook.fibres import N_FIBRES
from quicklook.profiles import profile_bank
from quicklook.scattered import (
    COLUMN_CELLS,
    ROW_CELLS,
    VALLEY,
    Gaps,
    no_background,
    remaining_light,
    scattered_light,
)
from quicklook.solving import solve_columns
from quicklook.tramlines import transposed, transposed_floor
from quicklook.types import FloatArray, FloatImage, Image, Parameters, Spectra, Tramlines

SUMMED = frozenset({"TRAM", "NEWTRAM", "SUM"})
FITTED = frozenset({"OPTEX", "CLOPTEX", "SMCOPTEX", "GAUSS", "FIT"})

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
    frame = _by_columns(image.data)
    floor = transposed_floor(image) if image.floor is None else _by_columns(image.floor)
    centre = _by_hand(tramlines.centre[lit], options, n_rows)
    if tramlines.bad is not None:
        # Missing light is made up from the columns beside; that of a dead column would be taken for darkness.
        frame = frame.copy() if np.may_share_memory(frame, image.data) else frame
        spacing = float(np.median(np.diff(centre[:, n_columns // 2]))) if len(lit) > 1 else tramlines.mwidth
        without_bad(frame, tramlines.bad[lit], centre, 0.5 * spacing)
    drift = NO_DRIFT
    if options.follow:
        drift = measure_drift(frame, floor, centre, tramlines.profile)
        centre = centre + drift.shift(centre, n_rows)
    profile, told = tramlines.profile, 0.0
    bank, nodes, halo = profile_bank(profile), (profile.row_nodes, profile.column_nodes), profile.beyond
    grid, grid_rows = no_background(n_rows, n_columns)
    gaps = Gaps.even()
    if options.scattered:
        columns = np.unique(np.linspace(0, n_columns - 1, min(SURVEYED, n_columns)).astype(np.int64))
        grid, grid_rows, gaps, survey = scattered_light(frame, floor, columns, centre, bank, nodes, halo)
        profile, told = wings_by_contrast(survey, profile)
        if profile is not tramlines.profile:
            bank, halo = profile_bank(profile), profile.beyond
            grid, grid_rows, gaps, _ = scattered_light(frame, floor, columns, centre, bank, nodes, halo)
    hit = np.zeros(frame.shape, dtype=np.bool_)
    flux, variance = (np.full((n_columns, len(lit)), np.nan) for _ in range(2))
    lift = np.zeros(flux.shape)
    between, weight = (np.zeros((ROW_CELLS, COLUMN_CELLS)) for _ in range(2))
    distance = VALLEY * float(np.median(np.diff(centre[:, n_columns // 2])))
    solve_columns(
        frame, floor, transposed(centre), bank, *nodes, grid, grid_rows, halo, options.cosmics, options.summed,
        distance, hit, flux, variance, lift, between, weight,
    )  # fmt: skip
    flux, variance, lift = transposed(flux), transposed(variance), transposed(lift)
    if options.scattered:
        flux -= lift * remaining_light(between, weight, gaps, centre, n_rows)
    if tramlines.bad is not None:
        lost = tramlines.bad[lit]
        flux[lost], variance[lost] = np.nan, np.nan
    spikes = 0
    if options.cosmics:
        sharp = sharp_spikes(flux, variance)
        flux[sharp], variance[sharp] = np.nan, np.nan
        spikes = int(sharp.sum())
    # The profile is normalised over its table: what a fibre sends beyond belongs to it as well.
    whole = profile.whole
    flux *= whole
    variance *= whole**2
    spectra = _spectra(lit, flux, variance, n_columns, image, options, drift, hit, spikes, grid, told)
    return replace(spectra, centre=centre), replace(image, cosmic=hit.T)


def _by_columns(image: FloatImage) -> FloatImage:
    """An image as the column kernels take it, (columns, rows): itself where it is stored so, else a copy."""
    return image.T if image.flags.f_contiguous else transposed(image)


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
    told: float,
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
    if told != 0.0:
        history.append(f"Halo of the fibres changed by {told:+.5f} of their light, as dark fibres show it")
    if options.cosmics:
        history.append(f"Cosmic rays: {int(hit.sum())} pixels rejected, {spikes} spectral pixels flagged")
    figures = dict(image.figures) | {
        "drift": drift.offset if drift.measured else float("nan"),
        "drift_along": drift.along,
        "drift_across": drift.across,
        "drift_error": drift.error if drift.measured else float("nan"),
        "scattered_light": float(np.median(grid)),
        "halo_change": told,
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
