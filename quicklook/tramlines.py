"""The tramline map: where each fibre runs over the chip and what its profile looks like, from a flat."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quicklook.badpixels import along_fibres, find_bad_columns
from quicklook.errors import Failure, InvalidInput, Saturated
from quicklook.fibres import N_FIBRES
from quicklook.geometry import N_ROWS
from quicklook.headers import number
from quicklook.products import Product
from quicklook.profiles import (
    fit_profile,
    gaussian_profile,
    profile_bank,
    profile_width,
    sound_profile,
    width_along,
)
from quicklook.scattered import no_background
from quicklook.slitmatch import SlitMatch, match_slit
from quicklook.smoothing import SmoothLines, fill_unlit, smooth_lines
from quicklook.storedprofile import PROFILE_PARTS, WING_PARTS, store_profile, stored_profile
from quicklook.survey import survey_columns
from quicklook.sweep import Traces, sweep
from quicklook.types import FloatArray, FloatImage, Image, Parameters, ProfileModel, Tramlines

Number = TypeVar("Number", bound=np.floating)

FULL_WELL = 65535.0

STEPS = (16, 8, 3)
"""Rounds of profile and positions in turn, each on every so manieth column: a third round changes positions by
less than 0.001 pixel, and early ones need not be precise."""

POINT = 8
"""Columns averaged into one position."""

LARGEST_SHIFT = 1.5
"""A correction to a position larger than this is not believed [pixel]."""

NEEDED_PARTS = ("SIGMAPRF", "TRACE", *PROFILE_PARTS)
MAP_PARTS = (*NEEDED_PARTS, *WING_PARTS, "BADPIX")
"""Extensions of a map's file, beside those that all products have."""

BEYOND = 200.0
"""Dark fibres' lines may run so far beside the chip [pixel]."""

LARGEST_BAD = 0.02
"""Columns of which more than this is bad do not tell the profile: their halos are of light that is not seen."""

MOST_SATURATED = 0.5
"""With more of the fibres' light than this saturated, a flat is refused."""


def find_tramlines(image: Image, params: Parameters | None = None) -> Tramlines:
    """Make the tramline map of a fibre flat.

    Parameters
    ----------
    image : Image
        The flat after `make_image`.
    params : mapping, optional
        2dFdr parameters; none is needed.

    Returns
    -------
    Tramlines

    Raises
    ------
    InvalidInput
        When the image has no fibre table, or is saturated beyond use (`Saturated`).
    Failure
        When too few traces show or they do not agree with the fibre table.
    """
    if image.fibres is None:
        raise InvalidInput("a flat without a FIBRES table cannot give a tramline map")
    _refuse_saturated(image)
    traces = sweep(image.data, image.variance, FULL_WELL * image.gain)
    match = match_slit(_rows_at_reference(traces), image.fibres.type, image.data.shape[0])
    bad = find_bad_columns(image.data, image.read_noise)
    flat = transposed(np.where(bad, np.float32(np.nan), image.data))
    floor = transposed_floor(image)
    centre = _first_lines(traces, image.data.shape[1])
    _refuse_lost(flat, centre)
    fwhm = _rough_width(flat, centre)
    profile = gaussian_profile(fwhm)
    background = no_background(*image.data.shape)
    for i in range(len(STEPS)):
        columns = np.arange(0, flat.shape[0], STEPS[i] if flat.shape[0] > 1024 else 1)
        survey = _survey(flat, floor, columns, centre, profile, background)
        # A Gaussian's fluxes are good enough for a first profile; positions wait for the measured one.
        if i > 0:
            lines = _smooth(columns, centre, survey[1], survey[2], flat.shape[0])
            centre = lines.centre
            survey = _survey(flat, floor, columns, centre, profile, background)
        whole = (bad.mean(axis=0) < LARGEST_BAD)[columns]
        if not whole.any():
            raise Failure(
                f"every column of the flat has more than {100 * LARGEST_BAD:.0f} % bad pixels, so the fibre profile cannot "
                "be measured; use another flat"
            )
        profile, background = fit_profile(
            flat, floor, centre, columns[whole], survey[0][:, whole], fwhm, profile, background
        )
        fwhm = float(np.nanmedian(profile_width(profile)))
    columns = np.arange(flat.shape[0])
    survey = _survey(flat, floor, columns, centre, profile, background)
    lines = _smooth(columns, centre, survey[1], survey[2], flat.shape[0])
    return _result(lines, profile, match, image, bad)


def transposed_floor(image: Image) -> FloatImage:
    """Variance without photon noise as the column kernels take it: (columns, rows), or (1, 1) if uniform."""
    if image.floor is None:
        return np.full((1, 1), max(image.read_noise, 0.5) ** 2, dtype=np.float32)
    return transposed(image.floor)


def transposed(image: NDArray[Number]) -> NDArray[Number]:
    """An image as the column kernels take it, (columns, rows): copied in strips, which the cache holds."""
    result = np.empty(image.shape[::-1], dtype=image.dtype)
    for y in range(0, image.shape[0], 128):
        result[:, y : y + 128] = image[y : y + 128].T
    return result


def _refuse_saturated(image: Image) -> None:
    fraction = float(image.saturated.mean())
    if fraction > MOST_SATURATED:
        raise Saturated(
            f"{100 * fraction:.0f} % of the flat is saturated; use the flat that was exposed for this arm"
        )


def _refuse_lost(flat: FloatImage, centre: FloatArray) -> None:
    """Refuse a flat in which most fibres have lost their cores to saturation."""
    n_columns, n_rows = flat.shape
    columns = np.arange(0, n_columns, 8)
    rows = np.clip(np.rint(centre[:, columns]).astype(np.int64), 0, n_rows - 1)
    lost = np.isnan(flat[columns[None, :], rows]).mean(axis=1)
    share = float((lost > 0.7).mean())
    if share > 0.5 or float(lost.mean()) > 0.7:
        raise Saturated(
            f"{100 * share:.0f} % of the fibres are saturated along most of the chip; "
            "use the flat that was exposed for this arm"
        )


def _rows_at_reference(traces: Traces) -> FloatArray:
    """Rows of all traces at the reference block, bridging blocks in which one has no peak."""
    rows = traces.rows[:, traces.reference].copy()
    blocks = np.arange(traces.rows.shape[1])
    for j in np.nonzero(np.isnan(rows))[0]:
        seen = np.isfinite(traces.rows[j])
        rows[j] = np.interp(traces.reference, blocks[seen], traces.rows[j, seen])
    return rows


def _first_lines(traces: Traces, n_columns: int) -> FloatArray:
    weight = np.where(np.isfinite(traces.rows), 1 / 0.1**2, 0.0)
    position = np.nan_to_num(traces.rows)
    return smooth_lines(traces.columns, position, weight, n_columns, choices=(4, 8)).centre


def _rough_width(flat: FloatImage, centre: FloatArray) -> float:
    """Median full width at half maximum of a sample of fibres, from peak and sum of the five core pixels."""
    n_columns, n_rows = flat.shape
    columns = np.linspace(0.1 * n_columns, 0.9 * n_columns, 40).astype(np.int64)
    fibres = np.linspace(1, len(centre) - 2, min(100, len(centre) - 2)).astype(np.int64)
    middle = centre[np.ix_(fibres, columns)]
    rows = np.rint(middle).astype(np.int64)
    inside = (rows >= 3) & (rows < n_rows - 3)
    rows = np.clip(rows, 3, n_rows - 4)
    offsets = np.arange(-2, 3)
    pixels = flat[columns[None, :, None], rows[:, :, None] + offsets]
    dy = rows[:, :, None] + offsets - middle[:, :, None]
    # For a Gaussian the logarithm of the core is a parabola: its curvature gives the width.
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(pixels)
        curvature = (log[:, :, 0] + log[:, :, 4] - 2 * log[:, :, 2]) / 4.0
        asymmetry = np.abs(dy[:, :, 2]) < 0.6
        sigma = np.sqrt(-1.0 / curvature)
    good = inside & np.isfinite(sigma) & asymmetry & (sigma > 0.4) & (sigma < 4.0)
    sigma_pixel = float(np.median(sigma[good])) if good.sum() > 20 else 1.45
    return float(np.clip(2.3548 * np.sqrt(max(sigma_pixel**2 - 1 / 12, 0.3)), 1.5, 6.0))


def _survey(
    flat: FloatImage,
    floor: FloatImage,
    columns: NDArray[np.int64],
    centre: FloatArray,
    profile: ProfileModel,
    background: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fluxes, position errors and their inverse variances in a choice of columns."""
    nothing = np.empty((0, 0), dtype=np.float32)
    result = [np.empty((len(centre), len(columns))) for _ in range(3)]
    survey_columns(
        flat, floor, columns, np.ascontiguousarray(centre), profile_bank(profile), profile.row_nodes,
        profile.column_nodes, *background, profile.beyond, *result, nothing, nothing,
    )  # fmt: skip
    return result[0], result[1], result[2]


def _smooth(
    columns: NDArray[np.int64], centre: FloatArray, shift: FloatArray, weight: FloatArray, n_columns: int
) -> SmoothLines:
    """New lines through the positions measured, averaged over a few columns."""
    per_point = POINT // max(1, int(columns[1] - columns[0]))
    n = len(columns) // per_point
    cut = n * per_point
    # A shift beyond the profile's core is no measurement of this fibre's place.
    weight = np.where(np.abs(shift) < LARGEST_SHIFT, weight, 0.0)[:, :cut].reshape(len(centre), n, per_point)
    total = weight.sum(axis=2)
    offsets = shift[:, :cut].reshape(len(centre), n, per_point)
    mean = (weight * offsets).sum(axis=2) / np.maximum(total, 1e-12)
    x = columns[:cut].reshape(n, per_point).mean(axis=1)
    at = np.stack([np.interp(x, np.arange(n_columns), line) for line in centre])
    return smooth_lines(x, at + mean, total, n_columns)


def _result(
    lines: SmoothLines, profile: ProfileModel, match: SlitMatch, image: Image, bad: NDArray[np.bool_]
) -> Tramlines:
    lit = np.zeros(N_FIBRES, dtype=np.bool_)
    lit[match.position] = True
    centre = fill_unlit(lines.centre, match.position)
    rms = np.full(N_FIBRES, np.nan)
    rms[match.position] = lines.rms
    width = width_along(profile, centre)
    mwidth = float(np.median(width[lit]))
    lost = along_fibres(bad, centre)
    columns = np.count_nonzero(lost[lit].mean(axis=0) > 0.2)
    assert image.fibres is not None
    history = [
        f"Tramline map: {match.reason}",
        f"Tramlines are splines of {lines.intervals} intervals, median rms {np.nanmedian(rms):.4f} pixel",
        f"Fibre profile measured from the flat, median FWHM {mwidth:.3f} pixel",
    ]
    history.append(
        f"Fibres send {100 * profile.halo_fraction:.2f} % of their light into a halo of "
        f"{profile.halo_length:.0f} pixel, {100 * profile.inner_fraction:.2f} % into one of {profile.inner_length:.0f}"
    )
    if lost.any():
        history.append(
            f"Bad columns: {columns} over a fifth of the fibres or more, {lost[lit].mean():.2e} in all"
        )
    figures = {
        "traces_found": float(lit.sum()),
        "traces_expected": float(image.fibres.lit_in_flat.sum()),
        "traces_missing": float(len(match.missing)),
        "traces_unexpected": float(len(match.unexpected)),
        "table_agreement": match.agreement,
        "tramline_rms": float(np.nanmedian(rms)),
        "mwidth": mwidth,
        "saturated_fraction": float(image.saturated.mean()),
        "bad_columns": float(columns),
        "halo_fraction": profile.halo_fraction,
    }
    return Tramlines(
        centre,
        width,
        lit,
        rms,
        profile,
        mwidth,
        (*image.history, *history),
        figures,
        lost if lost.any() else None,
    )


def tramlines_to_product(tramlines: Tramlines, image: Image) -> Product:
    """The map as ``tlm.fits``: PRIMARY holds the rows of the centres, MWIDTH the median width.

    Rows are 0-based and refer to pixel centres; the profile goes into PROFILE (row nodes, column nodes,
    offsets) and its nodes into PROFROWS and PROFCOLS.
    """
    header = image.header.copy()
    header["MWIDTH"] = (tramlines.mwidth, "median FWHM of the fibre profile (pixel)")
    header["PSF_TYPE"] = ("EMPIRIC", "profile measured from the flat")
    header["NTRACES"] = (int(tramlines.lit.sum()), "fibre traces found")
    masked = {} if tramlines.bad is None else {"BADPIX": tramlines.bad.astype(np.uint8)}
    product = Product(
        data=tramlines.centre,
        header=header,
        fibres=image.fibres,
        ndf_class=str(header.get("NDFCLASS", "MFFFF")),
        extras={
            "SIGMAPRF": tramlines.width,
            "TRACE": np.vstack([tramlines.lit.astype(np.float64), tramlines.rms]),
            **masked,
        },
        history=list(tramlines.history),
        keep_precision=True,
    )
    store_profile(tramlines.profile, product)
    return product


def _possible(centre: FloatArray, lit: NDArray[np.bool_]) -> bool:
    """Whether tramlines lie on the chip or a little beside it, those of lit fibres in order."""
    with np.errstate(invalid="ignore"):
        on_chip = bool((np.abs(centre - 0.5 * N_ROWS) < 0.5 * N_ROWS + BEYOND).all())
    return on_chip and bool((np.diff(centre[lit], axis=0) > 0).all())


def product_to_tramlines(product: Product) -> Tramlines:
    """Read a map back from a ``tlm.fits`` of `tramlines_to_product`.

    Raises
    ------
    InvalidInput
        When the product is no tramline map of quicklook.
    """
    parts = {name: product.image(name) for name in NEEDED_PARTS}
    absent = [name for name, part in parts.items() if part is None]
    if absent or product.data.ndim != 2 or product.data.shape[0] != N_FIBRES:
        raise InvalidInput(
            f"this is no tramline map of quicklook (lacks {', '.join(absent) or '400 fibres'}); "
            "make one with make_tlm",
            path=product.path,
        )
    trace = np.asarray(parts["TRACE"], dtype=np.float64)
    profile = stored_profile(product)
    centre = np.asarray(product.data, dtype=np.float64)
    width = np.asarray(parts["SIGMAPRF"], dtype=np.float64)
    masked = product.image("BADPIX")
    if trace.shape != (2, N_FIBRES) or width.shape != centre.shape:
        raise InvalidInput("the parts of this tramline map do not fit together", path=product.path)
    if not (_possible(centre, trace[0] > 0.5) and sound_profile(profile)):
        raise InvalidInput(
            "the tramline map holds positions or profiles that no flat shows; make it again with make_tlm",
            path=product.path,
        )
    return Tramlines(
        centre,
        width,
        trace[0] > 0.5,
        trace[1],
        profile,
        number(product.header, "MWIDTH", low=0.1, high=50.0),
        history=(),
        figures={"traces_found": float((trace[0] > 0.5).sum())},
        bad=masked != 0 if masked is not None and masked.shape == centre.shape else None,
    )
