"""The fields of a night: figures of each exposure, S/N as exposures add up, warnings. Pure, on rows and spectra."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from paws.clock import from_mjd
from paws.nightwatch.growth import Goal, Growth, growth, summed
from paws.nightwatch.judge import AS_ONE_ARM, Warning, warnings
from paws.nightwatch.light import Light, light_of
from paws.nightwatch.spectra import Floats, Spectra, align
from paws.nightwatch.thresholds import Threshold, in_force
from schemas.vocabulary import FrameClass
from web.storage.night import ProductSpectra

Row = Mapping[str, Any]

SHOWN: Final = (
    "light",
    "seeing_at_most",
    "sky_residual_noise",
    "arc_rms_pixels",
    "drift",
    "wavelength_drift",
    "profile_fwhm",
)
"""Figures in the table of exposures."""
_OF_THE_ARC: Final = ("arc_rms_pixels", "arc_lines")


@dataclass(frozen=True)
class ExposureView:
    """One exposure of an arm.

    Attributes
    ----------
    figures
        What was measured, by name; None where it was not.
    signal
        Median S/N per Angstrom of the targets.
    """

    frame_id: str
    run: int
    start: datetime
    seconds: float
    product_id: str
    version: int
    signal: float | None
    figures: dict[str, float | None]
    warnings: tuple[Warning, ...]


@dataclass(frozen=True)
class ArmView:
    """One arm of a field.

    Attributes
    ----------
    magnitude, snr : ndarray (targets,)
        After all exposures.
    without_product
        Science exposures that are not reduced, or are junked.
    """

    arm: str
    grating: str
    exposures: tuple[ExposureView, ...]
    growth: Growth
    magnitude: Floats
    snr: Floats
    without_product: int


@dataclass(frozen=True)
class FieldView:
    """A field of the night, newest first in lists.

    Attributes
    ----------
    warnings
        Of its newest exposure in each arm, the urgent first; what is of the sky once for both arms.
    """

    key: str
    field: str
    plate: int | None
    proposal: str
    last: datetime
    goal: Goal | None
    arms: tuple[ArmView, ...]
    warnings: tuple[tuple[str, int, Warning], ...]


def field_key(row: Row) -> str:
    """Identifier of a field on a page."""
    return f"{row['field']}-p{row['plate']}"


def fields_of(
    frames: Iterable[Row],
    products: Sequence[Row],
    spectra: Mapping[str, ProductSpectra],
    arcs: Mapping[str, Mapping[str, Any]],
    goals: Mapping[str, Goal | None],
    thresholds: Sequence[Threshold],
    night: str,
) -> list[FieldView]:
    """Fields of a night in which science was exposed, the newest first.

    Parameters
    ----------
    products, spectra
        Current products, and targets of those with spectra, by product.
    arcs
        Figures of the arcs that were used, by the key of their reduction.
    goals
        The goal in force, by proposal.
    """
    by_job = {product["job_key"]: product for product in products if product["kind"] == "object"}
    groups: dict[str, list[Row]] = defaultdict(list)
    for frame in frames:
        if frame["field"] and FrameClass(frame["frame_class"]).is_science:
            groups[field_key(frame)].append(frame)
    found = []
    for key, members in groups.items():
        newest = max(members, key=lambda row: row["utmjd"])
        goal = goals.get(newest["owner"], goals.get(""))
        arms = [
            _arm(
                arm,
                [row for row in members if row["arm"] == arm],
                by_job,
                spectra,
                arcs,
                goal,
                thresholds,
                night,
            )
            for arm in ("blue", "red")
        ]
        shown = tuple(arm for arm in arms if arm is not None)
        found.append(
            FieldView(
                key,
                newest["field"],
                newest["plate"],
                newest["proposal"],
                from_mjd(newest["utmjd"]),
                goal,
                shown,
                _newest_warnings(shown),
            )
        )
    return sorted(found, key=lambda view: view.last, reverse=True)


def _arm(
    arm: str,
    frames: Sequence[Row],
    by_job: Mapping[str, Row],
    spectra: Mapping[str, ProductSpectra],
    arcs: Mapping[str, Mapping[str, Any]],
    goal: Goal | None,
    thresholds: Sequence[Threshold],
    night: str,
) -> ArmView | None:
    if not frames:
        return None
    taken = [
        (frame, by_job[frame["job_key"]])
        for frame in sorted(frames, key=lambda row: (row["run"], row["frame_id"]))
        if frame["state"] != "junked" and frame["job_key"] in by_job
    ]
    seen = [(frame, product) for frame, product in taken if product["product_id"] in spectra]
    table = align([_spectra(frame, spectra[product["product_id"]]) for frame, product in seen])
    lights = {product["product_id"]: light for (_, product), light in zip(seen, light_of(table), strict=True)}
    limits = in_force(thresholds, night, arm, frames[-1]["grating"])
    exposures = tuple(
        _exposure(frame, product, lights.get(product["product_id"]), arcs, limits) for frame, product in taken
    )
    total = summed(table.snr)
    return ArmView(
        arm,
        frames[-1]["grating"],
        exposures,
        growth(table, goal) if goal is not None else Growth(None, 0, (), None, None, "no goal is set"),
        table.magnitude,
        total[-1] if len(total) else table.magnitude,
        len(frames) - len(taken),
    )


def _spectra(frame: Row, found: ProductSpectra) -> Spectra:
    return Spectra(
        frame["run"],
        float(frame["exposed"]),
        tuple(zip(found.fibre, found.name, strict=True)),
        found.magnitude,
        found.snr,
        found.flux,
    )


def _exposure(
    frame: Row,
    product: Row,
    light: Light | None,
    arcs: Mapping[str, Mapping[str, Any]],
    limits: Mapping[str, Threshold],
) -> ExposureView:
    own = product["figures"]
    arc = arcs.get(arc_of(frame) or "", {})
    figures: dict[str, float | None] = {
        name: _number(arc.get(name) if name in _OF_THE_ARC else own.get(name))
        for name in own
        if name != "signal_to_noise"
    }
    figures["light"] = None if light is None else light.relative
    figures["light_scatter"] = None if light is None else light.scatter
    figures["seeing_at_most"] = None if light is None else light.seeing_at_most
    return ExposureView(
        frame["frame_id"],
        frame["run"],
        from_mjd(frame["utmjd"]),
        float(frame["exposed"]),
        product["product_id"],
        product["version"],
        _number(own.get("signal_to_noise")),
        figures,
        tuple(warnings(figures, limits)),
    )


def arc_of(frame: Row) -> str | None:
    """Key of the reduction of the arc that a frame was reduced with."""
    for choice in frame["choices"] or ():
        if isinstance(choice, Mapping) and choice.get("role") == "arc":
            key = (choice.get("product") or {}).get("job_key")
            return str(key) if key else None
    return None


def _newest_warnings(arms: Sequence[ArmView]) -> tuple[tuple[str, int, Warning], ...]:
    found: list[tuple[str, int, Warning]] = []
    told: set[tuple[int, str]] = set()
    for arm in arms:
        if not arm.exposures:
            continue
        newest = arm.exposures[-1]
        for item in newest.warnings:
            if item.figure in AS_ONE_ARM and (newest.run, item.figure) in told:
                continue
            told.add((newest.run, item.figure))
            found.append((arm.arm, newest.run, item))
    return tuple(sorted(found, key=lambda one: not one[2].severe))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
