"""From figures and thresholds to warnings that say what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from paws.nightwatch.thresholds import Threshold


@dataclass(frozen=True)
class Meaning:
    """What a figure is.

    Attributes
    ----------
    name, unit
        For people.
    digits
        Behind the point.
    action
        What to do when it passes its threshold.
    """

    name: str
    unit: str
    digits: int
    action: str


MEANINGS: Final[dict[str, Meaning]] = {
    "light": Meaning(
        "light of the targets, against the field's best exposure",
        "",
        2,
        "Look at the sky and at guiding. If it is cloud that will pass, go on and junk this exposure when the combined "
        "spectra get worse with it; if it stays, take a brighter field.",
    ),
    "seeing_at_most": Meaning(
        "seeing, if all that is missing were seeing",
        "″",
        1,
        "Check the focus of the telescope and the guider's seeing; in seeing like this a brighter field gains more.",
    ),
    "light_scatter": Meaning(
        "spread of the targets' light against the best exposure",
        "",
        2,
        "Some fibres lie beside their targets: check guide stars, rotation of the field and its hour angle; "
        "the configuration may be out of its time.",
    ),
    "sky_residual_noise": Meaning(
        "residual of sky lines over the noise",
        "",
        2,
        "Plot the sky fibres. Shapes like a derivative: take an arc. All of one sign: throughput; an offset sky helps. "
        "One fibre only: an object in it; correct the fibre table and reduce again.",
    ),
    "arc_rms_pixels": Meaning(
        "scatter of the arc",
        "pixel",
        3,
        "Take another arc before the telescope moves. If it is the same, check lamp and grating angle in the header.",
    ),
    "arc_lines": Meaning(
        "arc lines used", "", 0, "A lamp was off or the exposure too short: take another arc."
    ),
    "drift": Meaning(
        "shift of the fibres since the flat",
        "pixel",
        2,
        "Take a fibre flat now: the spectra are corrected, but the flat's pixels no longer are those of the fibres.",
    ),
    "wavelength_drift": Meaning(
        "shift of the wavelengths since the arc",
        "pixel",
        2,
        "Take an arc now; it is corrected from sky lines meanwhile.",
    ),
    "profile_fwhm": Meaning(
        "width of the fibre profile",
        "pixel",
        2,
        "The spectrograph's focus has changed: tell the instrument scientist.",
    ),
    "traces_found": Meaning(
        "fibres found in the flat",
        "",
        0,
        "Was the flat that of this plate? If so, a slitlet or a retractor may be blocked: look at the TRACE extension.",
    ),
    "saturated_fraction": Meaning(
        "saturated pixels", "", 4, "Shorten the exposure; a bright star spoils its neighbours' spectra."
    ),
    "bad_fraction": Meaning(
        "spectral pixels without a value", "", 3, "Look at the frame: saturation, or a column that went bad."
    ),
    "scattered_light": Meaning(
        "scattered light", "electron", 1, "Look for a light in the dome, or the Moon near the field."
    ),
}
"""Figures that are judged."""

AS_ONE_ARM: Final = ("light", "light_scatter", "seeing_at_most")
"""Figures of the sky rather than the spectrograph: the same in both arms."""


@dataclass(frozen=True)
class Warning:
    """Something to look after.

    Attributes
    ----------
    figure
        Which figure passed its threshold.
    reason
        What was measured, and the limit.
    action
        What to do.
    severe
        Whether it is urgent.
    threshold
        What it was held against.
    """

    figure: str
    reason: str
    action: str
    severe: bool
    threshold: Threshold


def warnings(figures: Mapping[str, float | None], thresholds: Mapping[str, Threshold]) -> list[Warning]:
    """What to look after, the urgent first.

    Parameters
    ----------
    figures
        By name; None is not measured, which is no reason for a warning.
    thresholds
        Those in force, by figure: `paws.nightwatch.thresholds.in_force`.
    """
    found = []
    for name, value in figures.items():
        threshold, meaning = thresholds.get(name), MEANINGS.get(name)
        if value is None or threshold is None or meaning is None or not threshold.passed_by(value):
            continue
        severe = threshold.severe is not None and threshold.passed_by(value, threshold.severe)
        found.append(
            Warning(name, _reason(meaning, value, threshold, severe), meaning.action, severe, threshold)
        )
    return sorted(found, key=lambda item: not item.severe)


def _reason(meaning: Meaning, value: float, threshold: Threshold, severe: bool) -> str:
    unit = f" {meaning.unit}" if meaning.unit.isalpha() else meaning.unit
    limit = threshold.severe if severe else threshold.limit
    word = {"above": "above", "below": "below", "away": "farther from zero than"}[threshold.side]
    return f"{meaning.name} is {value:.{meaning.digits}f}{unit}, {word} {limit:g}{unit}"


def written(name: str, value: float | None) -> str:
    """A figure for people; nothing when it was not measured."""
    if value is None or name not in MEANINGS:
        return ""
    meaning = MEANINGS[name]
    return f"{value:.{meaning.digits}f}"
