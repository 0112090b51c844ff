"""Add images of the same kind: biases, darks, long-slit flats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quicklook import nanmath
from quicklook.compiled import kernel
from quicklook.errors import InvalidInput
from quicklook.types import FloatImage

MOST_IMAGES = 60
"""Keeps a band of the stack within 130 megabytes."""

BAND = 128
"""Rows that are combined at a time."""

SAMPLE = 3
"""Every third pixel of every third row tells an image's level: of half a million it is as good as of all."""

CLIP = 4.0
"""Pixels this many standard deviations from the median of the stack are left out."""


class Rows(Protocol):
    """An image of which bands of rows can be had: an array, or one that lies in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]:
        """A band."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A clipped mean of images.

    Attributes
    ----------
    data, variance : ndarray of float32 (rows, columns)
        Mean and its variance; NaN where no image has a value.
    rejected : int
        Pixels left out as outliers, in all images together.
    levels : tuple of float
        Median of each image: what tells a spoilt exposure from the rest.
    """

    data: FloatImage
    variance: FloatImage
    rejected: int
    levels: tuple[float, ...]


def combine_images(images: Sequence[Rows], variances: Sequence[Rows | None]) -> Stack:
    """Mean of images, pixel by pixel, without outliers.

    A pixel is left out when it lies more than four standard deviations from the median of its stack; the
    standard deviation is its own, as the variance tells, or for images without one the scatter of the stack.

    Parameters
    ----------
    images : sequence of Rows (rows, columns)
        At least one; NaN = bad.
    variances : sequence of (Rows or None)
        One for each image.

    Raises
    ------
    InvalidInput
        When there is no image or shapes differ.
    """
    if not images:
        raise InvalidInput("there are no images to combine")
    shape = images[0].shape
    for i, image in enumerate(images, start=1):
        if image.shape != shape:
            raise InvalidInput(
                f"image {i} is {image.shape[::-1]} pixels where the first is {shape[::-1]}; "
                "combine images of one read-out only"
            )
    if len(images) > MOST_IMAGES:
        raise InvalidInput(
            f"{len(images)} images are too many to combine at once; the limit is {MOST_IMAGES}"
        )
    data, variance = (np.empty(shape, dtype=np.float32) for _ in range(2))
    known = [v for v in variances if v is not None]
    whole = len(known) == len(images)
    nothing = np.full((1, 1, 1), np.nan, dtype=np.float32)
    samples: list[list[FloatImage]] = [[] for _ in images]
    rejected = 0
    # Band by band: ten whole frames and their variances are two thirds of a gigabyte.
    for first in range(0, shape[0], BAND):
        band = slice(first, min(first + BAND, shape[0]))
        cube = np.stack([np.asarray(image[band], dtype=np.float32) for image in images])
        spread = np.stack([np.asarray(v[band], dtype=np.float32) for v in known]) if whole else nothing
        data[band], variance[band], lost = _clipped_mean(cube, spread, CLIP)
        rejected += int(lost)
        for sample, rows in zip(samples, cube, strict=True):
            sample.append(rows[-first % SAMPLE :: SAMPLE, ::SAMPLE].copy())
    levels = tuple(float(nanmath.median(np.concatenate(sample).ravel())) for sample in samples)
    return Stack(data, variance, rejected, levels)


@kernel
def _clipped_mean(cube, spread, clip):  # type: ignore[no-untyped-def]  # numba finds the types
    n, ny, nx = cube.shape
    known = spread.shape[0] == n and not (n == 1 and np.isnan(spread[0, 0, 0]) and spread.shape[1] == 1)
    data = np.empty((ny, nx), dtype=np.float32)
    variance = np.empty((ny, nx), dtype=np.float32)
    values, own = np.empty(n), np.empty(n)
    rejected = 0
    for y in range(ny):
        for x in range(nx):
            m = np.int64(0)
            low, high, least, sum_values, sum_own = np.inf, -np.inf, np.inf, 0.0, 0.0
            for i in range(n):
                value = cube[i, y, x]
                if not np.isnan(value):
                    values[m] = value
                    own[m] = spread[i, y, x] if known else 0.0
                    low, high, least = min(low, value), max(high, value), min(least, own[m])
                    sum_values += values[m]
                    sum_own += own[m]
                    m += 1
            if m == 0:
                data[y, x], variance[y, x] = np.nan, np.nan
                continue
            # Where the values lie as near to each other as that, none is that far from their median.
            if known and (high - low) ** 2 <= clip * clip * least:
                data[y, x], variance[y, x] = sum_values / m, sum_own / (m * m)
                continue
            middle, scatter2 = _centre(values, m)
            total, total2, var, used = 0.0, 0.0, 0.0, 0
            for i in range(m):
                limit = max(own[i], scatter2) if known else scatter2
                off = values[i] - middle
                if m > 2 and off * off > clip * clip * limit:
                    rejected += 1
                    continue
                total += values[i]
                total2 += off * off
                var += own[i]
                used += 1
            if used == 0:
                data[y, x], variance[y, x] = np.nan, np.nan
                continue
            data[y, x] = total / used
            if known:
                variance[y, x] = var / (used * used)
            else:
                variance[y, x] = total2 / (used * max(used - 1, 1))
    return data, variance, rejected


@kernel
def _centre(values, m):  # type: ignore[no-untyped-def]  # numba finds the types
    """Median of the first m values, and a variance from the lower half of their distances to it."""
    work = np.empty(MOST_IMAGES)
    for i in range(m):
        _insert(work, i, values[i])
    middle = work[m // 2] if m % 2 else 0.5 * (work[m // 2 - 1] + work[m // 2])
    low, high, near = 0, m - 1, 0.0
    # Distances to the median grow from the middle outwards: peel off the far half from both ends.
    for _ in range(m - m // 2):
        if middle - work[low] > work[high] - middle:
            near = middle - work[low]
            low += 1
        else:
            near = work[high] - middle
            high -= 1
    return middle, (1.4826 * near) ** 2


@kernel
def _insert(work, n, value):  # type: ignore[no-untyped-def]  # numba finds the types
    """Insert a value into the first n, which are sorted."""
    i = n
    while i > 0 and work[i - 1] > value:
        work[i] = work[i - 1]
        i -= 1
    work[i] = value
