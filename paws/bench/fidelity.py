"""What the reduced frames of a simulated field say, against what is true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from paws.bench.conditions import Case
from paws.bench.field import SPLICED, Arm, BenchError, Reducer, opened, reduce_field, simulate
from paws.bench.splicing import splice_step

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

BRIGHT = 30.0
"""Signal-to-noise per pixel from which a spectrum counts as bright."""

FAINT = 150.0
"""Electrons per pixel below which a spectrum counts as faint."""

SATURATED = 2.5e5
"""Electrons in a spectral pixel from which the peak of its profile may exceed the converter's range."""

LEAK_ERROR = 0.001
"""A leak that is less certain than this is not known: half of what is to be reached."""

CORE = 3.0
"""A cosmic ray this near to a fibre's trace hits its spectrum [pixel]."""


@dataclass(frozen=True)
class Goal:
    """A figure of the table: its name, meaning, and what to reach (absolute value, or range)."""

    name: str
    meaning: str
    low: float
    high: float

    def reached(self, value: float) -> bool:
        """Whether a value is good enough; an unknown one is not."""
        return bool(self.low <= value <= self.high)


GOALS = (
    Goal("tramline_rms", "tramlines, rms over lit fibres (pixel)", 0.0, 0.01),
    Goal("tramline_max", "tramlines, largest error (pixel)", 0.0, 0.05),
    Goal("tramline_lost", "fibres lost or invented by the tramline map", 0.0, 0.0),
    Goal("wavelength_median", "wavelengths, rms of the median fibre (pixel)", 0.0, 0.02),
    Goal("wavelength_p99", "wavelengths, rms of the 99th percentile fibre (pixel)", 0.0, 0.04),
    Goal("wavelength_lost", "fibres lost by the arc", 0.0, 0.0),
    Goal("flux_bias", "flux bias where S/N > 30", -0.003, 0.003),
    Goal("additive_bias", "additive bias of faint fibres (electron a pixel)", -0.5, 0.5),
    Goal("pull_mean", "pull of clean pixels, mean", -0.05, 0.05),
    Goal("pull_std", "pull of clean pixels, standard deviation", 0.93, 1.07),
    Goal("leak", "light leaked from a neighbour (slope)", -0.002, 0.002),
    Goal("cosmics_left", "hit spectral pixels left above 5 sigma", 0.0, 0.05),
    Goal("cosmics_false", "clean spectral pixels flagged", 0.0, 1e-4),
    Goal("throughput_rms", "fibre throughput, rms", 0.0, 0.01),
    Goal("sky_over_noise", "sky fibres in sky lines, scatter over noise", 0.0, 1.15),
    Goal("sky_residual", "sky lines, residual beyond the noise over line flux", 0.0, 0.02),
    Goal("zero_point", "wavelength zero point of science frames (pixel)", -0.05, 0.05),
    Goal("combined_gain", "S/N of combined exposures over their S/N added in quadrature", 0.97, 1.03),
    Goal("splice_step", "step of spliced spectra across the overlap", -0.01, 0.01),
)


def judge(
    reducer: Reducer, case: Case, place: Path, gratings: str, seed: int, exposures: int
) -> list[dict[str, object]]:
    """Simulate a field in some condition, reduce it, and measure both arms.

    Returns
    -------
    list of dict
        For each arm ``condition``, ``grating``, ``seed`` and ``figures``; or ``failed``, the reducer's last
        words, when a command failed.
    """
    place.mkdir(parents=True, exist_ok=True)
    names = dict(zip(("blue", "red"), gratings.split(","), strict=True))
    used = {arm: names[arm] for arm in case.arms}
    told = ",".join(used.values())
    night = simulate(place, told, seed, exposures, truth=True, more=case.simulation)
    common = {"condition": case.name, "seed": seed}
    try:
        arms = reduce_field(reducer, night, used, keep=True, how=case.reduction)
    except BenchError as error:
        return [{**common, "grating": told, "figures": {}, "failed": str(error)}]
    truth, shared = place / "truth", {}
    if len(arms) > 1:
        shared["splice_step"] = splice_step(night / SPLICED, arms[0], arms[1], truth)
    return [{**common, "grating": arm.grating, "figures": measure(arm, truth) | shared} for arm in arms]


def measure(arm: Arm, truth: Path) -> dict[str, float]:
    """All figures of one arm."""
    figures = _tramlines(arm, truth) | _wavelengths(arm, truth)
    exposures = [_spectra(arm.folder, name, truth) | _sky(arm.folder, name, truth) for name in arm.science]
    figures |= {key: _middle([e[key] for e in exposures]) for key in exposures[0]}
    if len(arm.science) > 1:
        figures["combined_gain"] = _combined(arm)
    return figures


def _middle(values: list[float]) -> float:
    """Median of the known values: a frame without sky lines says nothing of them."""
    known = [v for v in values if np.isfinite(v)]
    return float(np.median(known)) if known else float("nan")


def _truth(folder: Path, name: str) -> dict[str, FloatArray]:
    with np.load(folder / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def _tramlines(arm: Arm, truth: Path) -> dict[str, float]:
    true = _truth(truth, arm.flat)
    with opened(arm.folder / f"{arm.flat}tlm.fits") as tlm:
        found = tlm["TRACE"].data[0] > 0.5
        lit = (true["throughput"] > 0) & found
        error = tlm[0].data[lit] - true["trace"][lit]
    return {
        "tramline_rms": float(np.sqrt((error**2).mean())),
        "tramline_max": float(np.abs(error).max()),
        "tramline_lost": float((found != true["electrons"].any(axis=1)).sum()),
    }


def _wavelengths(arm: Arm, truth: Path) -> dict[str, float]:
    true = _truth(truth, arm.arc)
    lit = true["throughput"] > 0
    with opened(arm.folder / f"{arm.arc}red.fits") as red:
        error = (red["WAVELA"].data * 10.0 - true["wavelength"])[lit]
        lost = red["ARCFIT"].data[1][lit] < 3
    rms = np.sqrt(((error / np.median(np.diff(true["wavelength"]))) ** 2).mean(axis=1))
    return {
        "wavelength_median": float(np.median(rms)),
        "wavelength_p99": float(np.percentile(rms, 99)),
        "wavelength_lost": float((lost | (rms > 0.5)).sum()),
    }


def _hit(true: dict[str, FloatArray]) -> BoolArray:
    """Spectral pixels that a cosmic ray touched."""
    hit: BoolArray = np.zeros(true["trace"].shape, dtype=bool)
    for place in true["cosmic_rays"]:
        y, x = int(place[0]), int(place[1])
        if x < hit.shape[1]:
            hit[np.abs(true["trace"][:, x] - y) < CORE, x] = True
    return hit


def _spectra(folder: Path, name: str, truth: Path) -> dict[str, float]:
    true = _truth(truth, name)
    light = true["electrons"].astype(np.float64)
    with opened(folder / f"{name}ex.fits") as ex:
        flux, sigma = ex[0].data.astype(np.float64), np.sqrt(ex["VARIANCE"].data.astype(np.float64))
    lit = np.isfinite(flux).any(axis=1) & (true["throughput"] > 0)
    hit = _hit(true) & lit[:, None]
    with np.errstate(invalid="ignore"):
        pull = (flux - light) / sigma
        clean = lit[:, None] & ~hit & np.isfinite(pull)
        core = clean & (np.abs(pull) < 6)
        # The noise that the true light makes: chosen by their own noise, pixels that came out low would prevail.
        floor = np.nanmedian(sigma[lit] ** 2 - flux[lit])
        noise = np.sqrt(np.maximum(floor, 0.0) + light)
        bright, faint = core & (light > BRIGHT * noise), core & (light < FAINT)
    neighbours = np.zeros_like(light)
    neighbours[1:] += light[:-1]
    neighbours[:-1] += light[1:]
    # A column without any flux is a bad column of the detector, not a judgement on a pixel.
    alive = np.isfinite(flux[lit]).mean(axis=0) > 0.5
    flagged = lit[:, None] & ~hit & np.isnan(flux) & alive[None, :] & ~_saturated(light)
    return {
        "flux_bias": _mean((flux / np.where(light > 0, light, 1.0) - 1.0)[bright]),
        "additive_bias": _mean((flux - light)[faint]),
        "pull_mean": _mean(pull[core]),
        "pull_std": float(np.std(pull[core])),
        "leak": _leak(neighbours, flux - light, faint),
        "cosmics_left": float((np.abs(pull[hit]) > 5).sum() / max(hit.sum(), 1)),
        "cosmics_false": float(_isolated(flagged).sum() / (lit.sum() * alive.sum())),
    }


def _saturated(light: FloatArray) -> BoolArray:
    """Spectral pixels of which the converter may have cut something off, neighbours included."""
    return np.asarray(maximum_filter(light, (3, 5)) > SATURATED)


def _isolated(flagged: BoolArray) -> BoolArray:
    """Flagged pixels outside the runs in which bad columns cross fibres that are inclined to them."""
    runs = flagged[1:-1] & (flagged[2:] | flagged[:-2])
    result = flagged.copy()
    result[1:-1] &= ~runs
    return result


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _leak(neighbours: FloatArray, excess: FloatArray, faint: BoolArray) -> float:
    """Slope of what faint fibres have too much against their neighbours' light; unknown where noise decides it.

    Pixels of one fibre share errors, so that fibres, not pixels, tell how certain the slope is.
    """
    if faint.sum() < 100:
        return float("nan")
    x = np.where(faint, neighbours - neighbours[faint].mean(), 0.0)
    y = np.where(faint, excess, 0.0)
    whole = max(float((x**2).sum()), 1e-9)
    slope = float((x * y).sum()) / whole
    rest = np.where(faint, y - excess[faint].mean() - slope * x, 0.0)
    error = float(np.sqrt(((x * rest).sum(axis=1) ** 2).sum())) / whole
    return slope if error < LEAK_ERROR else float("nan")


def _sky(folder: Path, name: str, truth: Path) -> dict[str, float]:
    true = _truth(truth, name)
    with opened(folder / f"{name}red.fits") as red:
        kinds = np.char.strip(red["FIBRES"].data["TYPE"].astype(str))
        flux, variance = (red[i].data.astype(np.float64) for i in (0, 1))
        sky, passed = red["SKY"].data.ravel(), red["THPUT"].data.ravel()
        error = red["WAVELA"].data * 10.0 - true["wavelength"]
    step = float(np.median(np.diff(true["wavelength"])))
    # The fibre table may be wrong: what a fibre sees is told by its light.
    sees_sky = true["sky_electrons"].any(axis=1)
    on_sky = (kinds == "S") & sees_sky & (true["electrons"] == true["sky_electrons"]).all(axis=1)
    live = np.isin(kinds, ["P", "S"]) & np.isfinite(passed) & sees_sky
    ratio = passed[live] / true["throughput"][live]
    residual, noise = flux[on_sky], variance[on_sky]
    line = sky > 3 * np.nanmedian(sky)
    good = np.isfinite(residual) & (noise > 0) & line[None, :]
    pull = (residual / np.sqrt(np.where(good, noise, 1.0)))[good]
    excess = _mean(np.clip(residual[good] ** 2, None, 25 * noise[good]) - noise[good])
    level = np.broadcast_to(sky, residual.shape)[good]
    return {
        "throughput_rms": float(np.std(ratio / np.median(ratio))),
        "sky_over_noise": float(1.4826 * np.median(np.abs(pull))) if pull.size else float("nan"),
        "sky_residual": float(np.sqrt(max(excess, 0.0) / np.mean(level**2))) if pull.size else float("nan"),
        "zero_point": float(np.median(error[live]) / step),
    }


def _combined(arm: Arm) -> float:
    """Signal-to-noise of the combined frame over what its exposures have together (for equal ones sqrt(N))."""
    ratios = []
    with opened(arm.folder / "combined.fits") as product:
        together, kinds = product[0].data, np.char.strip(product["FIBRES"].data["TYPE"].astype(str))
    seen = np.flatnonzero((kinds == "P") & np.isfinite(together).any(axis=1))
    objects = np.nanmedian(together[seen], axis=1)
    bright = seen[objects >= np.percentile(objects, 80)]
    for name in [*(f"{science}red" for science in arm.science), "combined"]:
        with opened(arm.folder / f"{name}.fits") as product:
            values = product[0].data
        # Differences of neighbours see the noise and not what is left of the sky's continuum.
        noise = float(np.nanmedian(np.abs(np.diff(values[kinds == "S"], axis=1))))
        ratios.append(float(np.nanmean(values[bright])) / noise)
    return ratios[-1] / float(np.sqrt(sum(r**2 for r in ratios[:-1])))
