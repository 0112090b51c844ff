"""Medians and means that take NaN for "unknown": of nothing known the answer is NaN, without a warning."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def median(values: NDArray[np.floating], axis: int | None = None, *, keepdims: bool = False) -> FloatArray:
    """Median of the known values along an axis; NaN where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=axis, keepdims=keepdims), dtype=np.float64)


def mean(values: NDArray[np.floating], axis: int | None = None, *, keepdims: bool = False) -> FloatArray:
    """Mean of the known values along an axis; NaN where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=axis, keepdims=keepdims, dtype=np.float64))


def scatter(values: NDArray[np.floating]) -> float:
    """Robust standard deviation of the known values (1.48 times the median deviation); NaN of none."""
    known = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(known - np.median(known)))) if known.size else float("nan")
