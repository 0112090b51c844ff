"""What a plate map is coloured by: figures of every fibre, measured in the product itself.

They are measured from the whole product at once, so they come after the page, in an answer of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paws.errors import InvalidInputError
from paws.signal import allowing_for, of_pixels, row_medians
from web.explorer.plate import read_plate
from web.spectra import Plane, SpectraLayout, layout_of

Floats = NDArray[np.float64]
_MOST: Final = 10_000_000
"""Values of a product that are measured: five times a spliced product of 400 fibres. More would take gigabytes."""
_BLOCK: Final = 64
_LINES: Final = 3.0
_FEW: Final = 30


@dataclass(frozen=True, eq=False)
class Figures:
    """Figures of each fibre; NaN where there is none. None: the product lacks what it is measured from.

    Attributes
    ----------
    signal_to_noise
        Median per Angstrom, as `paws.signal` has it.
    throughput
        Relative to the mean of the fibres, as the reducer found it.
    sky_residual
        What is left of the night sky's lines, as a fraction of them.
    filled
        Part of the pixels that have a value: 0 for fibres without a spectrum.
    level
        Median of the flux, in the product's unit.
    """

    signal_to_noise: Floats | None
    throughput: Floats | None
    sky_residual: Floats | None
    filled: Floats
    level: Floats


def figures_of(path: Path) -> Figures:
    """Figures of all fibres of a product. Measured again only when the file is another one.

    Raises
    ------
    InvalidInputError
        If the product cannot be read, or is too large to be measured at once.
    """
    layout = layout_of(path)
    if layout.data.rows * layout.data.columns > _MOST:
        raise InvalidInputError(
            f"{path.name} is too large to be measured as a whole; its spectra can be seen."
        )
    try:
        status = path.stat()
        return _figures(path, status.st_mtime_ns, status.st_size, layout)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path.name} cannot be measured: {error}") from error


@lru_cache(maxsize=64)
def _figures(path: Path, _mtime_ns: int, _size: int, layout: SpectraLayout) -> Figures:
    flux = layout.data.all(path)
    throughput = read_plate(path).throughput
    return Figures(
        signal_to_noise=signal_to_noise(path, layout, flux),
        throughput=None if throughput is None else throughput.astype(np.float64),
        sky_residual=None if layout.sky is None else sky_residual(flux, layout.sky.all(path)),
        filled=np.isfinite(flux).mean(axis=1),
        level=row_medians(flux),
    )


def signal_to_noise(path: Path, layout: SpectraLayout, flux: NDArray[np.float32]) -> Floats | None:
    """Median signal to noise per Angstrom of each row, as `paws.signal` has it; NaN where there is none.

    Returns
    -------
    ndarray (fibres,) or None
        None if the product has no variance.
    """
    if layout.variance is None:
        return None
    with np.errstate(invalid="ignore"):
        sigma = np.sqrt(layout.variance.all(path))
    ratios = of_pixels(flux, sigma, layout.step or _mean_step(layout, path))
    return allowing_for(layout.quoted, ratios, np.array([fibre.type == "P" for fibre in layout.fibres]))


def sky_residual(flux: NDArray[np.float32], sky: NDArray[np.float32]) -> Floats:
    """Robust scatter about the continuum in the pixels of sky lines, over the mean sky there, of each row.

    Lines are where the sky is brighter than three times its median; where that is in fewer than 30 pixels, as in
    much of the blue, the brightest tenth. The continuum is what medians of 64 pixels follow, so broad features of a
    target do not count, and its narrow lines only where they meet the sky's.

    Parameters
    ----------
    flux : ndarray (fibres, pixels)
    sky : ndarray (fibres or 1, pixels)
    """
    sky = np.broadcast_to(sky, flux.shape)
    with np.errstate(all="ignore"):
        seen = np.isfinite(flux) & np.isfinite(sky)
        usual = row_medians(sky)[:, None]
        lines = seen & (sky > _LINES * np.maximum(usual, 0.0))
        few = lines.sum(axis=1) < _FEW
        if few.any():
            bright = np.nanquantile(np.where(np.isfinite(sky[few]), sky[few], -np.inf), 0.9, axis=1)
            lines[few] = seen[few] & (sky[few] > bright[:, None])
        away = np.where(lines, np.abs(flux - continuum(flux)), np.nan)
        strength = np.where(lines, sky, 0.0).sum(axis=1) / lines.sum(axis=1)
        scatter = 1.4826 * row_medians(away)
        return np.asarray(np.where(lines.sum(axis=1) >= _FEW, scatter / strength, np.nan))


def continuum(flux: NDArray[np.float32]) -> NDArray[np.float32]:
    """Medians of blocks of pixels, joined by straight lines; what has no value is passed over."""
    rows, columns = flux.shape
    blocks = max(1, columns // _BLOCK)
    used = flux[:, : blocks * (columns // blocks)].reshape(rows * blocks, -1)
    medians = row_medians(used).reshape(rows, blocks)
    centres = (np.arange(blocks) + 0.5) * (columns // blocks) - 0.5
    pixels = np.arange(columns)
    result = np.full(flux.shape, np.nan, np.float32)
    for row, values in enumerate(medians):
        known = np.isfinite(values)
        if known.any():
            result[row] = np.interp(pixels, centres[known], values[known])
    return result


def _mean_step(layout: SpectraLayout, path: Path) -> float:
    waves: Plane | None = layout.waves
    if waves is None:
        return 1.0
    row = waves.row(path, layout.data.rows // 2) * 10.0
    span = float(row[-1] - row[0])
    return abs(span) / max(1, row.size - 1) or 1.0
