"""Fits of single columns, for steps that ask a sample of them how much light there is and where it lies."""

from __future__ import annotations

import numpy as np

from quicklook.columns import (
    CORE,
    HALF,
    PIXELS,
    WIDTH,
    At,
    add_model,
    background_at_column,
    bank_at_column,
    evaluate,
    normal_equations,
    reweight,
    solve,
    spread_beyond,
)
from quicklook.compiled import kernel

PASSES = 2
"""Fits of a column: the first without photon noise in the weights, the second with what the first predicts."""


@kernel
def fit_column(d, noise, background, centre, profile, first, halo, buffers):  # type: ignore[no-untyped-def]  # numba finds the types
    """Fit all fibres of a column with the variance that the fit itself predicts.

    Parameters
    ----------
    d : pixels, background removed; NaN = bad, on return zero there
    noise : variance that is not photon noise of the fibres, per pixel
    background : scattered light, whose photon noise counts; on return it includes the fibres' halo
    centre : of the fibres
    profile, first : from `evaluate`
    halo : what fibres send beyond their profiles, `ProfileModel.beyond`
    buffers : tuple of scratch arrays, see `column_buffers`

    Leaves weights, model and flux in the buffers.
    """
    w, model, diagonal, upper1, upper2, right, work, flux, old, new = buffers
    ny = d.shape[0]
    old[:] = 0.0
    for y in range(ny):
        bad = np.isnan(d[y])
        w[y] = 0.0 if bad else 1.0 / (noise[y] + max(background[y], 0.0))
        d[y] = 0.0 if bad else d[y]
    for i in range(PASSES):
        if i > 0:
            if halo[0] != 0.0 or halo[2] != 0.0 or halo[4] != 0.0 or halo[5] != 0.0:
                spread_beyond(model, centre, flux, halo, new)
                for y in range(ny):
                    background[y] += new[y] - old[y]
                    d[y] -= new[y] - old[y] if w[y] > 0.0 else 0.0
                    old[y] = new[y]
            reweight(noise, background, model, w)
        normal_equations(d, w, profile, first, diagonal, upper1, upper2, right)
        solve(diagonal, upper1, upper2, right, work, flux, np.int64(0), flux.shape[0])
        add_model(flux, profile, first, model)


@kernel
def column_buffers(ny, n):  # type: ignore[no-untyped-def]  # numba finds the types
    """Scratch arrays of `fit_column`: weights, model, normal equations, factor, flux, halo before and after."""
    return (
        np.zeros(ny),
        np.zeros(ny),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros((3, n)),
        np.zeros(n),
        np.zeros(ny),
        np.zeros(ny),
    )


@kernel
def survey_columns(  # type: ignore[no-untyped-def]  # numba finds the types
    image,
    floor,
    columns,
    centres,
    bank,
    row_nodes,
    column_nodes,
    grid,
    grid_rows,
    halo,
    fluxes,
    shift,
    weight,
    residual,
    light,
):
    """Fit a choice of columns and report fluxes, centre errors and, if asked, residuals.

    Parameters
    ----------
    image : (all columns, rows) float32, NaN = bad
    floor : (all columns, rows) or (1, 1) float32
        Variance without photon noise.
    columns : chosen columns
    centres : (fibres, all columns)
    bank, row_nodes, column_nodes : profile bank
    grid, grid_rows : background, see `background_at_column`
    halo : see `spread_beyond`
    fluxes, shift, weight : (fibres, chosen columns), results
        Flux, offset of the light from ``centres`` [pixel] and its inverse variance.
    residual, light : (chosen columns, rows) or (0, 0) float32, results
        Pixels minus fibres (background left in), and the fibres' light.
    """
    ny = image.shape[1]
    n = centres.shape[0]
    buffers = column_buffers(ny, n)
    w, model, _, _, _, _, _, flux, _, _ = buffers
    table = np.zeros((bank.shape[0], bank.shape[2], WIDTH))
    first = np.empty(n, dtype=np.int64)
    profile, slope = np.empty((n, WIDTH)), np.empty((n, WIDTH))
    d, noise, background, centre = np.empty(ny), np.empty(ny), np.empty(ny), np.empty(n)
    for c in range(columns.shape[0]):
        x = columns[c]
        bank_at_column(bank, column_nodes, float(x), table)
        for j in range(n):
            centre[j] = centres[j, x]
        evaluate(centre, table, row_nodes, first, profile, slope)
        background_at_column(grid, grid_rows, x, background)
        # Loops, as expressions of whole arrays take half a second each to compile.
        own = min(x, floor.shape[0] - 1)
        for y in range(ny):
            d[y] = image[x, y] - background[y]
            noise[y] = floor[own, min(y, floor.shape[1] - 1)]
        fit_column(d, noise, background, centre, profile, first, halo, buffers)
        if residual.shape[0] > 0:
            for y in range(ny):
                residual[c, y] = image[x, y] - model[y]
                light[c, y] = model[y]
        for j in range(n):
            fibre, start = At(j), first[j]
            above, below = 0.0, 0.0
            for k in range(max(0, -start, HALF - CORE), min(PIXELS, ny - start, HALF + CORE + 1)):
                at = At(start + k)
                g = flux[fibre] * slope[fibre, At(k)]
                above += w[at] * g * (d[at] - model[at])
                below += w[at] * g * g
            fluxes[j, c] = flux[j]
            shift[j, c] = above / below if below > 0.0 else 0.0
            weight[j, c] = below if flux[j] > 0.0 else 0.0
