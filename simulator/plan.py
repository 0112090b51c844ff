"""The plan of a night: which exposures are taken, when, of what, and what their files are called.

Planning is pure: it draws no light and touches no disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import date as CalendarDate  # noqa: N812 - `date` is an argument here
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import overload

import numpy as np

from simulator.conditions import ORDINARY, Conditions
from simulator.detector import DETECTORS, READOUT_SECONDS
from simulator.errors import InvalidPlanError
from simulator.lamps import ARC_LAMP, QUARTZ_PHOTONS, quartz
from simulator.optics import ARMS, GRATINGS, Setup, setup_for
from simulator.throughput import DICHROICS, arm_efficiency
from simulator.timescale import parse_night, sidereal_degrees

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DEFAULT_GRATINGS = {"blue": "580V", "red": "385R"}
LONGEST_EXPOSURE = 1800.0
SHORTEST_EXPOSURE = 30.0
ARC_SECONDS = 40.0
TWILIGHT_SECONDS = 60.0
OFFSET_SKY_SECONDS = 300.0
# What a flat aims at in the middle of a typical spectrum: a third of the converter's range at the peak.
FLAT_ELECTRONS = 55_000.0
LONGEST_FLAT = 600.0
_AFTERNOON_UT = 4.0
_EVENING_UT = 9.25
_DAWN_UT = 19.0
_SETTLE_SECONDS = 300.0
_LAST_RUN = 9999


class FrameClass(StrEnum):
    """NDFCLASS of a frame."""

    BIAS = "BIAS"
    DARK = "DARK"
    FLAT = "MFFFF"
    ARC = "MFARC"
    SKY = "MFSKY"
    OBJECT = "MFOBJECT"


class Illumination(StrEnum):
    """What lights the fibres."""

    NONE = "none"
    QUARTZ = "quartz"
    ARC = "arc"
    NIGHT_SKY = "night sky"
    TWILIGHT = "twilight"
    TARGETS = "targets"


@dataclass(frozen=True)
class FieldPlan:
    """A field of the night.

    Parameters
    ----------
    number : int
        Counted from 0.
    label : str
        Field name, OBJECT of its science frames.
    plate : int
        0 or 1.
    configuration : str
        CFG_FILE.
    centre_ra, centre_dec : float
        Degrees.
    """

    number: int
    label: str
    plate: int
    configuration: str
    centre_ra: float
    centre_dec: float


@dataclass(frozen=True)
class ExposurePlan:
    """One exposure: every arm reads out at its end, under one run number.

    Parameters
    ----------
    run : int
        Run number, from 1.
    frame_class : FrameClass
        NDFCLASS.
    light : Illumination
        What is seen.
    object_name : str
        OBJECT.
    start : datetime
        UT of the shutter's opening.
    seconds : float
        Exposure time.
    field : FieldPlan or None
        The configured field; None for biases and darks before the first.
    plate : int
        The plate at the spectrograph.
    exposed_for : str
        The arm a flat is meant for; empty otherwise.
    paths : mapping of str to Path
        Arm to file, relative to the output folder.
    """

    run: int
    frame_class: FrameClass
    light: Illumination
    object_name: str
    start: datetime
    seconds: float
    field: FieldPlan | None
    plate: int
    exposed_for: str
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class NightPlan(Sequence[ExposurePlan]):
    """All exposures of a night with what they share. A sequence of `ExposurePlan`.

    Parameters
    ----------
    night : date
        UT date at the start of the afternoon's calibrations; names the folder and the files.
    seed : int
        Everything random follows from it.
    setups : mapping of str to Setup
        Arm to spectrograph set-up.
    dichroic : str
        DICHROIC.
    fields : tuple of FieldPlan
        In the order of observation.
    exposures : tuple of ExposurePlan
        In the order of run numbers.
    conditions : Conditions
        What is not as usual.
    """

    night: CalendarDate
    seed: int
    setups: Mapping[str, Setup]
    dichroic: str
    fields: tuple[FieldPlan, ...]
    exposures: tuple[ExposurePlan, ...] = field(repr=False)
    conditions: Conditions = ORDINARY

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in use, blue before red."""
        return tuple(self.setups)

    @property
    def frame_count(self) -> int:
        """Number of files."""
        return len(self.exposures) * len(self.setups)

    def __len__(self) -> int:
        return len(self.exposures)

    def __iter__(self) -> Iterator[ExposurePlan]:
        return iter(self.exposures)

    @overload
    def __getitem__(self, index: int) -> ExposurePlan: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ExposurePlan]: ...

    def __getitem__(self, index: int | slice) -> ExposurePlan | Sequence[ExposurePlan]:
        return self.exposures[index]


def plan_night(
    date: str | CalendarDate,
    *,
    fields: int = 1,
    exposures: int = 3,
    seed: int = 1,
    arms: Sequence[str] = ARMS,
    gratings: Mapping[str, str] | None = None,
    centres: Mapping[str, float] | None = None,
    dichroic: str = "X5700",
    biases: int = 5,
    darks: int = 1,
    twilight: bool = False,
    offset_sky: bool = False,
    exposure_seconds: float | None = None,
    conditions: Conditions = ORDINARY,
) -> NightPlan:
    """Plan a night as the telescope would run it.

    Biases and darks in the afternoon; then for each field a fibre flat for each arm, an arc, and the
    science exposures; plates 0 and 1 take turns.

    Parameters
    ----------
    date : str or datetime.date
        The night, ``YYYYMMDD``.
    fields, exposures : int
        Number of fields, and of science exposures of each.
    seed : int
        Same seed, same bytes; also the same instrument on another date.
    arms : sequence of str
        ``blue``, ``red`` or both.
    gratings : mapping, optional
        Arm to grating name; 580V and 385R by default.
    centres : mapping, optional
        Arm to requested central wavelength, Angstrom; the grating's usual one by default.
    dichroic : str
        ``X5700`` or ``X6700``.
    biases, darks : int
        Their numbers.
    twilight : bool
        Add a twilight-sky frame to each field.
    offset_sky : bool
        Add an offset-sky frame to each field.
    exposure_seconds : float, optional
        Science exposure time. By default 1800 s, or less where the night would not suffice.
    conditions : Conditions
        What is not as usual.

    Returns
    -------
    NightPlan
        A sequence of exposures.

    Raises
    ------
    InvalidPlanError
        A parameter is out of range or the night is too short.
    """
    night = parse_night(date)
    _require(0 <= fields <= 50, f"fields must be 0 to 50, got {fields}")
    _require(0 <= exposures <= 500, f"exposures must be 0 to 500 per field, got {exposures}")
    _require(0 <= biases <= 100, f"biases must be 0 to 100, got {biases}")
    _require(0 <= darks <= 20, f"darks must be 0 to 20, got {darks}")
    _require(0 <= seed < 2**63, f"seed must be a whole number from 0 to 2^63 - 1, got {seed}")
    _require(dichroic in DICHROICS, f"unknown dichroic {dichroic!r}: choose from {', '.join(DICHROICS)}")
    setups = _setups(tuple(arms), gratings or {}, centres or {}, seed)
    flats = {arm: _flat_seconds(setup, dichroic) for arm, setup in setups.items()}
    calibrations = sum(flats.values()) + ARC_SECONDS + READOUT_SECONDS * (len(flats) + 1) + _SETTLE_SECONDS
    calibrations += (TWILIGHT_SECONDS + READOUT_SECONDS) * twilight
    calibrations += (OFFSET_SKY_SECONDS + READOUT_SECONDS) * offset_sky
    science = _science_seconds(fields, exposures, calibrations, exposure_seconds)

    clock = _Clock(night, tuple(setups))
    for _ in range(biases):
        clock.expose(FrameClass.BIAS, Illumination.NONE, "BIAS", 0.0)
    for _ in range(darks):
        clock.expose(FrameClass.DARK, Illumination.NONE, "DARK", 1800.0)

    plans = []
    for number in range(fields):
        clock.not_before(_EVENING_UT)
        middle = clock.now + timedelta(seconds=0.5 * exposures * (science + READOUT_SECONDS))
        plan = _field(number, night, middle, seed)
        plans.append(plan)
        clock.configure(plan)
        if twilight:
            clock.expose(FrameClass.SKY, Illumination.TWILIGHT, "Twilight sky", TWILIGHT_SECONDS)
        for arm in setups:
            clock.expose(FrameClass.FLAT, Illumination.QUARTZ, "FLAT", flats[arm], arm)
        clock.expose(FrameClass.ARC, Illumination.ARC, f"ARC - {ARC_LAMP}", ARC_SECONDS)
        for _ in range(exposures):
            clock.expose(FrameClass.OBJECT, Illumination.TARGETS, plan.label, science)
        if offset_sky:
            clock.expose(
                FrameClass.SKY, Illumination.NIGHT_SKY, f"{plan.label} offset sky", OFFSET_SKY_SECONDS
            )
        clock.advance(_SETTLE_SECONDS)
    return NightPlan(night, seed, setups, dichroic, tuple(plans), tuple(clock.taken), conditions)


def frame_path(night: CalendarDate, arm: str, run: int) -> Path:
    """Name of a raw frame as the AAT gives it, relative to the raw folder."""
    ccd = DETECTORS[arm].ccd
    name = f"{night.day:02d}{MONTHS[night.month - 1]}{ccd}{run:04d}.fits"
    return Path(PurePosixPath(f"{night:%y%m%d}", f"ccd_{ccd}", name))


class _Clock:
    """Takes exposures one after the other and keeps time and run numbers."""

    def __init__(self, night: CalendarDate, arms: tuple[str, ...]) -> None:
        self._midnight = datetime(night.year, night.month, night.day, tzinfo=UTC)
        self._night = night
        self._arms = arms
        self._field: FieldPlan | None = None
        self.now = self._midnight + timedelta(hours=_AFTERNOON_UT)
        self.taken: list[ExposurePlan] = []

    def not_before(self, hour: float) -> None:
        self.now = max(self.now, self._midnight + timedelta(hours=hour))

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def configure(self, plan: FieldPlan) -> None:
        self._field = plan

    def expose(
        self, frame_class: FrameClass, light: Illumination, name: str, seconds: float, arm: str = ""
    ) -> None:
        run = len(self.taken) + 1
        _require(run <= _LAST_RUN, "the night has more than 9999 exposures: ask for fewer")
        paths = {each: frame_path(self._night, each, run) for each in self._arms}
        plate = self._field.plate if self._field else 0
        self.taken.append(
            ExposurePlan(run, frame_class, light, name, self.now, seconds, self._field, plate, arm, paths)
        )
        self.advance(seconds + READOUT_SECONDS)


def _setups(
    arms: tuple[str, ...], gratings: Mapping[str, str], centres: Mapping[str, float], seed: int
) -> dict[str, Setup]:
    _require(len(arms) > 0, "at least one arm is needed: give blue, red or both")
    _require(len(set(arms)) == len(arms), f"an arm is named twice: {', '.join(arms)}")
    for name in (*arms, *gratings, *centres):
        _require(name in ARMS, f"unknown arm {name!r}: give 'blue', 'red' or both")
    setups = {}
    for number, arm in enumerate(ARMS):
        if arm not in arms:
            continue
        rng = np.random.Generator(np.random.PCG64([seed, 11, number]))
        grating = gratings.get(arm, DEFAULT_GRATINGS[arm])
        if grating in GRATINGS and GRATINGS[grating].arm != arm:
            raise InvalidPlanError(f"grating {grating} belongs to the {GRATINGS[grating].arm} arm, not {arm}")
        setups[arm] = setup_for(arm, grating, centres.get(arm), rng)
    return setups


def _science_seconds(fields: int, exposures: int, calibrations: float, wanted: float | None) -> float:
    """Exposure time that fits the dark hours beside the calibrations, or the one asked for if it does."""
    total = fields * exposures
    dark = (_DAWN_UT - _EVENING_UT) * 3600.0
    longest = (dark - fields * calibrations) / max(total, 1) - READOUT_SECONDS
    if wanted is not None:
        _require(1.0 <= wanted <= 7200.0, f"exposure time must be 1 to 7200 s, got {wanted:g}")
        _require(
            total == 0 or wanted <= longest,
            f"{total} exposures of {wanted:g} s do not fit one night (at most {max(longest, 0):.0f} s each): "
            "ask for fewer fields or exposures, or a shorter exposure time",
        )
        return float(wanted)
    _require(
        total == 0 or longest >= SHORTEST_EXPOSURE,
        f"{fields} fields of {exposures} exposures do not fit one night: ask for fewer",
    )
    # Whole minutes, as observers choose them, where that leaves anything.
    seconds = min(LONGEST_EXPOSURE, longest)
    return float(seconds // 60 * 60 if seconds >= 60 else seconds // 1)


def _flat_seconds(setup: Setup, dichroic: str) -> float:
    """Exposure that lights one arm well; the quartz lamp is an order of magnitude brighter in the red."""
    centre = setup.central_wavelength
    rate = QUARTZ_PHOTONS * float(quartz(centre) * arm_efficiency(setup.arm, dichroic, centre))
    return round(min(FLAT_ELECTRONS / (rate * setup.dispersion), LONGEST_FLAT), 1)


def _field(number: int, night: CalendarDate, middle: datetime, seed: int) -> FieldPlan:
    rng = np.random.Generator(np.random.PCG64([seed, 12, number, night.toordinal()]))
    # The day of the year keeps fields of neighbouring nights apart.
    label = f"FLD{night:%j}{number + 1:02d}"
    plate = number % 2
    sidereal = sidereal_degrees(middle)
    return FieldPlan(
        number=number,
        label=label,
        plate=plate,
        configuration=f"{label}_{night:%y%m%d}_r{number + 1:02d}_p{plate}.sds",
        centre_ra=round(float((sidereal + rng.uniform(-12.0, 12.0)) % 360.0), 6),
        centre_dec=round(float(rng.uniform(-48.0, -5.0)), 6),
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidPlanError(message)
