"""How much light of the targets arrives: proxies of transparency and seeing, and what they cannot tell.

A fibre of 2dF is two arcseconds wide and stays where it is. What is lost to cloud, to seeing and to fibres beside their
targets looks the same in it, so one figure is measured and two readings of it are given: *transparency* if all that is
missing were cloud, and *seeing at most* if all of it were seeing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from paws.nightwatch.spectra import Aligned, Floats

FIBRE: Final = 2.1
"""Diameter of a fibre on the sky, arcsec: 140 micron, 2.2 at the field's centre and 2.0 at its edge (Lewis et al. 2002,
MNRAS 333, 279)."""
GOOD_SEEING: Final = 1.4
"""Seeing, arcsec, that the best exposure is taken to have had: about the site's median."""
WORST_SEEING: Final = 6.0
_FEWEST: Final = 10
_LEAST_SNR: Final = 2.0


@dataclass(frozen=True)
class Light:
    """Light of an exposure's targets.

    Attributes
    ----------
    relative
        Of the same targets in the field's best exposure, which has 1; None where too few targets tell.
    scatter
        How much targets differ in it, as a fraction: large where fibres lie beside their targets, or cloud is patchy.
    zero_point
        Magnitude of a target that gives one unit of flux in a second, by the magnitudes of the fibre table.
    seeing_at_most
        Arcsec: what it was if all that is missing were seeing.
    """

    relative: float | None
    scatter: float | None
    zero_point: float | None
    seeing_at_most: float | None


def light_of(field: Aligned) -> list[Light]:
    """Light of each exposure of a field, in one arm.

    The same targets are compared with themselves, so neither colours nor wrong magnitudes matter to `relative`.
    """
    rate = field.flux / np.where(field.seconds > 0, field.seconds, np.nan)[:, None]
    with np.errstate(all="ignore"):
        logs = np.where((rate > 0) & (field.snr >= _LEAST_SNR), np.log10(rate), np.nan)
    offsets, scatters = _offsets(logs)
    best = max((one for one in offsets if one is not None), default=None)
    found = []
    for row, (offset, scatter) in enumerate(zip(offsets, scatters, strict=True)):
        relative = None if offset is None or best is None else 10.0 ** (offset - best)
        found.append(
            Light(
                relative,
                scatter,
                zero_point(field.magnitude, logs[row]),
                None if relative is None else seeing_at_most(relative),
            )
        )
    return found


def _offsets(logs: Floats) -> tuple[list[float | None], list[float | None]]:
    """Log light of each exposure against the first that has enough targets, by the median over common targets."""
    offsets: list[float | None] = []
    scatters: list[float | None] = []
    reference: Floats | None = None
    for row in logs:
        if int(np.isfinite(row).sum()) < _FEWEST:
            offsets.append(None)
            scatters.append(None)
        elif reference is None:
            reference = row
            offsets.append(0.0)
            scatters.append(None)
        else:
            common = (row - reference)[np.isfinite(row) & np.isfinite(reference)]
            if len(common) < _FEWEST:
                offsets.append(None)
                scatters.append(None)
                continue
            offset = float(np.median(common))
            offsets.append(offset)
            scatters.append(10.0 ** (1.48 * float(np.median(np.abs(common - offset)))) - 1.0)
    return offsets, scatters


def zero_point(magnitude: Floats, log_rate: Floats) -> float | None:
    """Median of magnitude plus 2.5 log flux a second over the targets."""
    good = np.isfinite(magnitude) & np.isfinite(log_rate)
    if int(good.sum()) < _FEWEST:
        return None
    return float(np.median(magnitude[good] + 2.5 * log_rate[good]))


def in_fibre(seeing: float) -> float:
    """Part of a point's light that falls into a fibre on it, for a Gaussian of some FWHM in arcsec.

    The integral of a Gaussian over a circle: 1 - 2^-(d/FWHM)^2, with d the fibre's diameter.
    """
    return 1.0 - math.exp2(-((FIBRE / seeing) ** 2))


def seeing_at_most(relative: float) -> float:
    """Seeing, arcsec, at which a fibre gets so much of what it gets in good seeing."""
    part = min(max(relative, 1e-6), 1.0) * in_fibre(GOOD_SEEING)
    seeing: float = FIBRE / math.sqrt(-math.log2(1.0 - part))
    return min(seeing, WORST_SEEING)
