"""Signal to noise as exposures add up, and when it will do.

Where noise is of photons, signal and its variance both grow with time, so the squared S/N of exposures that are added
is the sum of theirs, and grows in proportion to time: so it did over ten hours of OzDES (Childress et al. 2017, MNRAS
472, 273). Sky that is subtracted badly, or shared calibration noise, grows faster; products of N exposures reach one to
three per cent less than the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from paws.nightwatch.spectra import Aligned, Floats

WINDOW: Final = 1.0
"""Magnitudes around the goal's from which S/N there is judged."""
FEWEST: Final = 5
"""Targets that this takes."""
_FAINTEST_SNR: Final = 0.1
"""Below it a median S/N is noise about zero, and its logarithm tells nothing."""
_LONGEST: Final = 24 * 60.0
_RECENT: Final = 3


@dataclass(frozen=True)
class Goal:
    """What observers want to reach.

    Attributes
    ----------
    signal_to_noise
        Median per Angstrom, at `magnitude`.
    magnitude
        None: that which a fifth of the field's targets is fainter than.
    share
        Part of the targets down to that magnitude that is to reach it.
    since, source
        From which night on, and who says so.
    """

    signal_to_noise: float
    magnitude: float | None
    share: float = 0.8
    since: str = ""
    source: str = ""


@dataclass(frozen=True)
class Step:
    """Where a field stood after an exposure.

    Attributes
    ----------
    minutes
        Exposed so far.
    at_goal
        S/N at the goal's magnitude; None where too few targets tell.
    fraction
        Part of the targets down to that magnitude that reached the goal; None without targets.
    rate
        Squared S/N at the goal's magnitude that this exposure gave in a minute; None where it cannot be told.
    """

    minutes: float
    at_goal: float | None
    fraction: float | None
    rate: float | None


@dataclass(frozen=True)
class Growth:
    """How S/N grew in one arm of a field, and what is still to come.

    Attributes
    ----------
    magnitude
        At which it is judged; None when no target has one.
    targets
        Targets down to that magnitude.
    steps
        One an exposure, in order.
    minutes_to_goal
        At the rate of the newest exposure; 0 when the goal is reached, None when it cannot be told.
    minutes_range
        The same at the best and at the worst of the last exposures' rates.
    reason
        In words for people.
    """

    magnitude: float | None
    targets: int
    steps: tuple[Step, ...]
    minutes_to_goal: float | None
    minutes_range: tuple[float, float] | None
    reason: str


def summed(snr: Floats) -> Floats:
    """S/N of each target after each exposure: the root of the sum of squares.

    Parameters
    ----------
    snr : ndarray (exposures, targets)
        What is missing, or below zero (noise about no signal), adds nothing.
    """
    return np.asarray(np.sqrt(np.cumsum(np.clip(np.nan_to_num(snr, nan=0.0), 0.0, None) ** 2, axis=0)))


def goal_magnitude(goal: Goal, magnitude: Floats) -> float | None:
    """Magnitude at which a field is judged: the goal's, or the field's own eightieth percentile."""
    if goal.magnitude is not None:
        return goal.magnitude
    known = magnitude[np.isfinite(magnitude)]
    return float(np.percentile(known, 80.0)) if len(known) else None


def snr_at(magnitude: float, magnitudes: Floats, snr: Floats) -> float | None:
    """S/N at a magnitude: a line through log S/N of the targets around it, by the median of slopes (Theil 1950; Sen 1968).

    Returns
    -------
    float or None
        None where fewer than `FEWEST` targets lie within `WINDOW` with a signal above noise.
    """
    near = np.isfinite(magnitudes) & (np.abs(magnitudes - magnitude) <= WINDOW) & (snr > _FAINTEST_SNR)
    if int(near.sum()) < FEWEST:
        return None
    x, y = magnitudes[near] - magnitude, np.log10(snr[near])
    upper = np.triu_indices(len(x), 1)
    across = x[upper[1]] - x[upper[0]]
    apart = np.abs(across) > 0.05
    slope = (
        float(np.median((y[upper[1]] - y[upper[0]])[apart] / across[apart])) if apart.sum() > FEWEST else 0.0
    )
    # Between light of the sky alone (0.4) and of the target alone (0.2); a brighter target has more, whatever noise says.
    slope = min(max(slope, -0.5), 0.0)
    return float(10.0 ** np.median(y - slope * x))


def fraction_above(goal: Goal, limit: float, magnitudes: Floats, snr: Floats) -> tuple[float | None, int]:
    """Part of the targets down to a magnitude that reached the goal, and how many targets these are."""
    counted = np.isfinite(magnitudes) & (magnitudes <= limit)
    number = int(counted.sum())
    return (float((snr[counted] >= goal.signal_to_noise).mean()) if number else None), number


def growth(field: Aligned, goal: Goal) -> Growth:
    """How S/N grew in one arm of a field, and how long the goal still takes."""
    limit = goal_magnitude(goal, field.magnitude)
    if limit is None or not len(field.seconds):
        return Growth(
            limit, 0, (), None, None, "no target has a magnitude" if limit is None else "nothing exposed yet"
        )
    total = summed(field.snr)
    minutes = np.cumsum(field.seconds) / 60.0
    steps = []
    for row, seconds in enumerate(field.seconds):
        fraction, number = fraction_above(goal, limit, field.magnitude, total[row])
        alone = snr_at(limit, field.magnitude, field.snr[row])
        rate = None if alone is None or seconds <= 0 else alone**2 / (seconds / 60.0)
        steps.append(Step(float(minutes[row]), snr_at(limit, field.magnitude, total[row]), fraction, rate))
    return _predict(limit, number, tuple(steps), goal)


def _predict(limit: float, number: int, steps: tuple[Step, ...], goal: Goal) -> Growth:
    now = steps[-1]
    if now.at_goal is None:
        return Growth(
            limit, number, steps, None, None,
            f"fewer than {FEWEST} targets within {WINDOW:g} mag of {limit:.1f} show a signal",
        )  # fmt: skip
    if now.at_goal >= goal.signal_to_noise and (now.fraction is None or now.fraction >= goal.share):
        return Growth(
            limit, number, steps, 0.0, (0.0, 0.0), f"S/N {now.at_goal:.1f} at {limit:.1f} mag: reached"
        )
    rates = [step.rate for step in steps[-_RECENT:] if step.rate]
    if not steps[-1].rate or not rates:
        return Growth(
            limit, number, steps, None, None, "the newest exposure shows too little to predict from"
        )
    lacking = goal.signal_to_noise**2 - now.at_goal**2
    if lacking <= 0:
        return Growth(
            limit, number, steps, None, None,
            f"S/N {now.at_goal:.1f} at {limit:.1f} mag does, but {now.fraction or 0:.0%} of the targets reach it instead of"
            f" {goal.share:.0%}: fibres lose light, or targets are fainter than their magnitudes",
        )  # fmt: skip
    wait = lacking / steps[-1].rate
    span = (lacking / max(rates), lacking / min(rates))
    if wait > _LONGEST:
        return Growth(limit, number, steps, None, None, "not within a day at the present rate")
    return Growth(
        limit, number, steps, wait, span, f"S/N {now.at_goal:.1f} at {limit:.1f} mag, {goal.signal_to_noise:g} wanted"
    )  # fmt: skip


def goal_in_force(goals: list[Goal], night: str) -> Goal | None:
    """The goal that counts in a night: the newest that began before it, or with it."""
    begun = [goal for goal in goals if goal.since <= night]
    return max(begun, key=lambda goal: goal.since) if begun else None


def is_night(text: str) -> bool:
    """Whether a text is a night, YYYYMMDD."""
    if not (len(text) == 8 and text.isascii() and text.isdigit()):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
