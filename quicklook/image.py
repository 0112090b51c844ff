"""From raw counts to electrons: overscan, bias, dark, saturation, long-slit flat and variance (the ``im`` step)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quicklook.columns import At
from quicklook.compiled import kernel
from quicklook.errors import InvalidInput
from quicklook.headers import number, passed_on
from quicklook.overscan import overscan_level
from quicklook.products import Product
from quicklook.raw import RawFrame
from quicklook.types import BoolArray, FloatImage, Image, Parameters

SATURATION = 0.99 * 65535.0
"""ADU at and above which a pixel is taken as saturated, as 2dFdr does."""

IMPOSSIBLE = 1e6
"""Electrons beyond which a pixel of a bias or dark is taken as bad."""

MOST = np.float32(IMPOSSIBLE)

TILE_ROWS, TILE_COLUMNS = 64, 64
"""Pixels that are turned at a time: few enough for the nearest cache, and whole lines of it on either side."""

LOWEST_LFLAT = 0.2
"""A pixel less sensitive than this is treated as bad rather than corrected."""


def make_image(
    raw: RawFrame,
    *,
    bias: Product | None = None,
    dark: Product | None = None,
    lflat: Product | None = None,
    params: Parameters | None = None,
    by_columns: bool = False,
) -> Image:
    """Turn a raw frame into light in electrons.

    Parameters
    ----------
    raw : RawFrame
    bias : Product, optional
        Reduced or combined bias [electron, overscan removed].
    dark : Product, optional
        Reduced or combined dark [electron]; scaled by the ratio of the EXPOSED keywords.
    lflat : Product, optional
        Long-slit flat, normalised to one.
    params : mapping, optional
        2dFdr parameters; used are ``FITOVERSCAN`` (SPLINE, FIT or POLYEXP) and ``OVERSCANORDER``.
    by_columns : bool
        For frames of which nothing but their spectra is wanted: pixels of a column lie side by side in memory, as
        extraction reads them, and the variance, which it predicts itself, is unknown (NaN).

    Returns
    -------
    Image
        Variance is read noise squared plus the counts themselves, plus what bias and dark add.

    Raises
    ------
    InvalidInput
        When a calibration does not fit the frame.
    """
    params = params or {}
    level = overscan_level(
        raw.data[:, raw.windows.overscan],
        method=str(params.get("FITOVERSCAN", "SPLINE")),
        order=params.get("OVERSCANORDER"),
    )
    light = raw.data[:, raw.windows.data]
    rows, gain, noise2 = level.rows.astype(np.float32), np.float32(raw.gain), np.float32(raw.read_noise**2)
    floor: NDArray[np.float32] | None = None
    if by_columns and dark is None and lflat is None:
        data, variance, saturated, floor = _convert_by_columns(raw, rows, gain, noise2, bias)
    else:
        by_columns = False
        data, variance, saturated = _convert(light, rows, gain, noise2, SATURATION)
    history = [f"Overscan removed: {level.reason}, mean level {level.rows.mean():.2f} ADU"]
    figures = {
        "overscan_level": float(level.rows.mean()),
        "overscan_noise": float(level.noise * raw.gain),
        "saturated_fraction": float(saturated.mean()),
    }
    if bias is not None:
        if not by_columns:
            floor = _subtract(data, variance, floor, raw, bias, 1.0, "bias")
        history.append(f"Bias frame subtracted: {_name(bias)}")
    if dark is not None:
        factor = raw.exposure / number(dark.header, "EXPOSED", low=1e-3, high=1e6)
        floor = _subtract(data, variance, floor, raw, dark, factor, "dark")
        history.append(f"Dark frame subtracted: {_name(dark)} scaled by {factor:.4f}")
    if lflat is not None:
        _check_shape(data, lflat.data, "long-slit flat")
        _divide(data, variance, lflat.data.astype(np.float32), np.float32(LOWEST_LFLAT))
        history.append(f"Divided by long-slit flat: {_name(lflat)}")
    return Image(
        data=data,
        variance=variance,
        header=passed_on(raw.header),
        fibres=raw.fibres,
        gain=raw.gain,
        read_noise=raw.read_noise,
        saturated=saturated,
        cosmic=np.broadcast_to(np.False_, data.shape) if by_columns else np.zeros(data.shape, dtype=np.bool_),
        floor=floor,
        history=tuple(history),
        figures=figures,
    )


def _convert_by_columns(
    raw: RawFrame,
    rows: NDArray[np.float32],
    gain: np.float32,
    noise2: np.float32,
    bias: Product | None,
) -> tuple[FloatImage, FloatImage, BoolArray, FloatImage | None]:
    """Data, unknown variance, saturated pixels and floor of the variance, with the pixels of a column side by side."""
    offset, own = np.zeros((1, 1), dtype=np.float32), np.zeros((1, 1), dtype=np.float32)
    light = raw.data[:, raw.windows.data]
    if bias is not None:
        _check_shape(light, bias.data, "bias")
        offset = bias.data.astype(np.float32, copy=False)
        own = np.zeros_like(offset) if bias.variance is None else bias.variance.astype(np.float32, copy=False)
    data, floor, saturated = _turn(
        np.ascontiguousarray(raw.data[:, raw.windows.data.start :]), light.shape[1], rows, gain, noise2, SATURATION, offset, own,
        bias is not None,
    )  # fmt: skip
    unknown = np.broadcast_to(np.float32(np.nan), light.shape)
    return data.T, unknown, saturated.T, floor.T if bias is not None else None


def _subtract(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    floor: NDArray[np.float32] | None,
    raw: RawFrame,
    calibration: Product,
    factor: float,
    what: str,
) -> NDArray[np.float32]:
    """Subtract a calibration times a factor in place; return the raised floor of the variance."""
    _check_shape(data, calibration.data, what)
    own = calibration.variance
    if own is None:
        own = np.zeros(data.shape, dtype=np.float32)
    if floor is None:
        floor = np.full(data.shape, raw.read_noise**2, dtype=np.float32)
    _subtract_kernel(
        data, variance, floor, calibration.data.astype(np.float32, copy=False),
        own.astype(np.float32, copy=False), np.float32(factor), what == "dark",
    )  # fmt: skip
    return floor


def _check_shape(data: NDArray[np.generic], calibration: NDArray[np.floating], what: str) -> None:
    if calibration.shape != data.shape:
        raise InvalidInput(
            f"the {what} frame is {calibration.shape[::-1]} pixels where this frame is {data.shape[::-1]}; "
            f"choose a {what} of the same read-out"
        )


def _name(product: Product) -> str:
    return product.path.name if product.path is not None else "(in memory)"


@kernel
def _convert(raw, level, gain, noise2, limit):  # type: ignore[no-untyped-def]  # numba finds the types
    """Counts to electrons, their variance, and the saturation mask grown by the four neighbours."""
    ny, nx = raw.shape
    data = np.empty((ny, nx), dtype=np.float32)
    variance = np.empty((ny, nx), dtype=np.float32)
    saturated = np.zeros((ny, nx), dtype=np.bool_)
    for y in range(ny):
        for x in range(nx):
            electrons = (np.float32(raw[y, x]) - level[y]) * gain
            data[y, x] = electrons
            variance[y, x] = noise2 + max(electrons, np.float32(0.0))
    for y in range(ny):
        for x in range(nx):
            if raw[y, x] >= limit:
                saturated[y, x] = True
                if y > 0:
                    saturated[y - 1, x] = True
                if y < ny - 1:
                    saturated[y + 1, x] = True
                if x > 0:
                    saturated[y, x - 1] = True
                if x < nx - 1:
                    saturated[y, x + 1] = True
    for y in range(ny):
        for x in range(nx):
            if saturated[y, x]:
                data[y, x] = np.nan
                variance[y, x] = np.nan
    return data, variance, saturated


@kernel
def _turn(raw, nx, level, gain, noise2, limit, offset, own, subtract):  # type: ignore[no-untyped-def]  # numba finds the types
    """As `_convert` and `_subtract_kernel` in one go for the first ``nx`` columns, (columns, rows).

    Returns data, floor of the variance and saturated pixels.
    """
    ny = raw.shape[0]
    data, saturated = np.empty((nx, ny), dtype=np.float32), np.zeros((nx, ny), dtype=np.bool_)
    floor = np.empty((nx, ny) if subtract else (1, 1), dtype=np.float32)
    light = np.empty((TILE_ROWS, TILE_COLUMNS), dtype=np.float32)
    noise = np.empty((TILE_ROWS, TILE_COLUMNS), dtype=np.float32)
    spoilt = np.zeros(nx, dtype=np.bool_)
    for y0 in range(0, ny, TILE_ROWS):
        for x0 in range(0, nx, TILE_COLUMNS):
            high, wide = min(TILE_ROWS, ny - y0), min(TILE_COLUMNS, nx - x0)
            for i in range(high):
                if _electrons(raw, y0 + i, x0, wide, level, gain, light, i) >= limit:
                    _mark_saturated(raw, y0 + i, x0, x0 + wide, limit, saturated, spoilt)
            if subtract:
                for i in range(high):
                    _less(offset, own, y0 + i, x0, wide, noise2, light, noise, i)
            for k in range(wide):
                for i in range(high):
                    data[x0 + k, y0 + i] = light[i, k]
            if subtract:
                for k in range(wide):
                    for i in range(high):
                        floor[x0 + k, y0 + i] = noise[i, k]
    for x in range(nx):
        if spoilt[x]:
            for y in range(ny):
                if saturated[x, y]:
                    data[x, y] = np.nan
    return data, floor, saturated


@kernel
def _electrons(raw, y, x, wide, level, gain, light, i):  # type: ignore[no-untyped-def]  # numba finds the types
    """Set row i of ``light`` to the counts from (x, y) on in electrons; return the highest count."""
    base = level[y]
    for k in range(wide):
        light[At(i), At(k)] = (np.float32(raw[At(y), At(x + k)]) - base) * gain
    most = np.int32(0)
    for k in range(wide):
        count = np.int32(raw[At(y), At(x + k)])
        most = count if count > most else most
    return most


@kernel
def _less(offset, own, y, x, wide, noise2, light, noise, i):  # type: ignore[no-untyped-def]  # numba finds the types
    """Subtract a bias from row i of ``light``; what it adds to ``noise2`` becomes the floor of the variance."""
    nothing, unknown = np.float32(0.0), np.float32(np.nan)
    for k in range(wide):
        value, variance = offset[At(y), At(x + k)], own[At(y), At(x + k)]
        # No bias holds more than the converter can say: such a value is a damaged file's.
        sound = (abs(value) < MOST) & (variance < MOST * MOST)
        light[At(i), At(k)] = light[At(i), At(k)] - value if sound else unknown
        noise[At(i), At(k)] = noise2 + (max(variance, nothing) if sound else nothing)


@kernel
def _mark_saturated(raw, y, first, last, limit, saturated, spoilt):  # type: ignore[no-untyped-def]  # numba finds the types
    """Mark saturated pixels of part of a row with their four neighbours, and the columns in which there are any."""
    nx, ny = saturated.shape
    for x in range(first, last):
        if raw[y, x] >= limit:
            saturated[x, max(y - 1, 0) : min(y + 2, ny)] = True
            for beside in range(max(x - 1, 0), min(x + 2, nx)):
                saturated[beside, y] = True
                spoilt[beside] = True


@kernel
def _subtract_kernel(data, variance, floor, calibration, own, factor, charge):  # type: ignore[no-untyped-def]  # numba finds the types
    """Subtract ``factor * calibration``; noise of the calibration goes into variance and floor.

    Where the calibration is ``charge``, its shot noise stays; an offset has none. The frame's own noise must not enter
    the floor: pixels that came out low would weigh more.
    """
    ny, nx = data.shape
    for y in range(ny):
        for x in range(nx):
            value = calibration[y, x]
            # No bias or dark holds more than the converter can say: such a value is a damaged file's.
            if not (abs(factor * value) < IMPOSSIBLE and own[y, x] < IMPOSSIBLE * IMPOSSIBLE):
                data[y, x] = np.nan
                variance[y, x] = np.nan
                continue
            extra = factor * factor * max(own[y, x], np.float32(0.0))
            before = max(data[y, x], np.float32(0.0))
            data[y, x] -= factor * value
            variance[y, x] += extra
            floor[y, x] += extra
            if charge:
                floor[y, x] += max(factor * value, np.float32(0.0))
            else:
                variance[y, x] += max(data[y, x], np.float32(0.0)) - before


@kernel
def _divide(data, variance, flat, lowest):  # type: ignore[no-untyped-def]  # numba finds the types
    """Divide by a flat normalised to one; insensitive pixels become NaN."""
    ny, nx = data.shape
    for y in range(ny):
        for x in range(nx):
            response = flat[y, x]
            if response > lowest:
                data[y, x] /= response
                variance[y, x] /= response * response
            else:
                data[y, x] = np.nan
                variance[y, x] = np.nan
