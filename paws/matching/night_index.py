"""The frames of a night in their groups: fields, sessions of biases, exposures to combine, arms to splice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from paws.matching.fitness import RankedFlat, rank_flats, unfit
from paws.matching.sighting import JunkMark, Sighting
from schemas.frames import CameraKey, DetectorKey, FibreKey
from schemas.vocabulary import FrameClass, FrameState

SESSION_GAP = 3 / 24
"""Days between two frames of a class that end a session: afternoon and morning are combined apart."""

DETECTOR_CLASSES = (FrameClass.BIAS, FrameClass.DARK, FrameClass.LFLAT)


class Aside(NamedTuple):
    """Why a frame takes no part: it is junked, replaced or unfit."""

    state: FrameState
    reason: str


class FieldKey(NamedTuple):
    """A field as one arm sees it: camera set-up, plate and fibre configuration."""

    camera: CameraKey
    fibres: FibreKey


class PointingKey(NamedTuple):
    """What exposures must share to be combined, apart from the camera set-up."""

    fibres: FibreKey
    frame_class: FrameClass
    object_name: str


class PassedOver(NamedTuple):
    """A calibration frame of a field that cannot serve."""

    frame_id: str
    frame_class: FrameClass
    reason: str


@dataclass(slots=True)
class FieldFrames:
    """Calibration frames of a field, in one arm and camera set-up."""

    key: FieldKey
    flats: tuple[RankedFlat, ...] = ()
    arcs: list[Sighting] = field(default_factory=list)
    skies: list[Sighting] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Session:
    """Biases, darks of one exposure time, or long-slit flats, taken together and combined together.

    Attributes
    ----------
    followed
        Whether a frame of another class was taken after it: nothing more comes.
    last_seen
        When its newest frame was seen.
    pace
        Time between the two newest frames: when the next one would be due.
    """

    night: str
    frame_class: FrameClass
    detector: DetectorKey
    setup: int
    label: str
    members: tuple[Sighting, ...]
    followed: bool
    last_seen: datetime
    pace: timedelta = timedelta(0)

    @property
    def mjd(self) -> float:
        """Middle of the session (modified Julian date)."""
        return (self.members[0].frame.utmjd + self.members[-1].frame.utmjd) / 2


@dataclass(frozen=True, slots=True)
class Exposures:
    """Science exposures that are combined: same pointing, same camera set-up."""

    camera: CameraKey
    pointing: PointingKey
    label: str
    members: tuple[Sighting, ...]


@dataclass
class NightIndex:
    """The groups of a night's frames. Frames that are aside are in no group."""

    night: str
    subjects: list[Sighting] = field(default_factory=list)
    aside: dict[str, Aside] = field(default_factory=dict)
    fields: dict[FieldKey, FieldFrames] = field(default_factory=dict)
    fields_of_plate: dict[tuple[CameraKey, int], list[FieldFrames]] = field(default_factory=dict)
    sessions: dict[tuple[FrameClass, DetectorKey], list[Session]] = field(default_factory=dict)
    session_of: dict[str, Session] = field(default_factory=dict)
    exposures: dict[tuple[CameraKey, PointingKey], Exposures] = field(default_factory=dict)
    arms_of_run: dict[int, dict[int, Sighting]] = field(default_factory=dict)
    setups: dict[CameraKey, int] = field(default_factory=dict)
    classes: set[FrameClass] = field(default_factory=set)
    last_arrival: datetime | None = None
    _last_science: dict[FibreKey, int] = field(default_factory=dict)
    _newest_science: tuple[int, FibreKey | None] = (-1, None)

    @classmethod
    def build(cls, night: str, sightings: Iterable[Sighting], junk: Mapping[str, JunkMark]) -> NightIndex:
        """Index of a night's frames."""
        index = cls(night)
        everything = sorted(sightings, key=_by_run)
        index.last_arrival = max((item.seen_at for item in everything), default=None)
        index.subjects = [item for item in everything if item.subject]
        index._put_aside(everything, junk)
        fit = [item for item in everything if item.frame_id not in index.aside]
        # With those aside: why a frame of the right class cannot serve is worth telling.
        index.classes = {item.frame.frame_class for item in everything}
        index.setups = _number_setups(everything)
        index._group_fields(fit, everything)
        index._group_sessions(fit)
        index._group_science(fit)
        return index

    def next_field_began(self, sighting: Sighting) -> bool:
        """Whether science of another field was taken after a frame: nothing more comes for its own."""
        if not self._last_science:
            return False
        run, fibres = self._newest_science
        return run > sighting.frame.run and (
            fibres != sighting.fibres
            or max((last for key, last in self._last_science.items() if key != fibres), default=-1)
            > sighting.frame.run
        )

    def one_serves(self, sighting: Sighting, kind: FrameClass) -> bool:
        """Whether one flat, arc or sky frame is the best for all frames of a field, whatever their time."""
        group = self.fields.get(FieldKey(sighting.camera, sighting.fibres)) if sighting.fibres else None
        if group is None:
            return False
        if kind is FrameClass.MFFFF:
            return bool(group.flats) and (len(group.flats) == 1 or group.flats[1].rank > 0)
        return len(group.arcs if kind is FrameClass.MFARC else group.skies) == 1

    def _put_aside(self, everything: list[Sighting], junk: Mapping[str, JunkMark]) -> None:
        newest: dict[tuple[int, int], Sighting] = {}
        for item in everything:
            mark = junk.get(item.frame_id)
            if mark is not None and mark.junked:
                self.aside[item.frame_id] = Aside(FrameState.JUNKED, f"junked by {mark.who}: {mark.reason}")
                continue
            place = (item.frame.arm.ccd, item.frame.run)
            rival = newest.setdefault(place, item)
            if rival is not item:
                older, newest[place] = sorted((rival, item), key=_by_completion)
                self.aside[older.frame_id] = Aside(
                    FrameState.SET_ASIDE, f"another file of run {item.frame.run} of this arm is newer"
                )
        for item in newest.values():
            frame = item.frame
            if frame.frame_class.needs_fibres and item.fibres is None:
                self.aside[item.frame_id] = Aside(
                    FrameState.FAILED,
                    "the header names no plate, so no calibration can be told to fit; "
                    "correct SOURCE or CFG_FILE and deliver the file again",
                )
            elif (reason := unfit(frame)) is not None:
                self.aside[item.frame_id] = Aside(FrameState.SET_ASIDE, reason)

    def _group_fields(self, fit: list[Sighting], everything: list[Sighting]) -> None:
        flats: dict[FieldKey, list[Sighting]] = defaultdict(list)
        for item in fit:
            if item.fibres is None:
                continue
            kind = item.frame.frame_class
            if kind.is_science:
                self._last_science[item.fibres] = max(item.frame.run, self._last_science.get(item.fibres, 0))
                continue
            group = self._field(item)
            if kind is FrameClass.MFFFF:
                flats[group.key].append(item)
            elif kind is FrameClass.MFARC:
                group.arcs.append(item)
            elif kind is FrameClass.MFSKY:
                group.skies.append(item)
        if self._last_science:
            newest = max(self._last_science, key=lambda key: (self._last_science[key], key))
            self._newest_science = self._last_science[newest], newest
        for key, members in flats.items():
            self.fields[key].flats = rank_flats(members)
        for item in everything:
            aside = self.aside.get(item.frame_id)
            if aside is not None and item.fibres is not None and not item.frame.frame_class.is_science:
                self._field(item).passed_over.append(
                    PassedOver(item.frame_id, item.frame.frame_class, aside.reason)
                )

    def _field(self, item: Sighting) -> FieldFrames:
        assert item.fibres is not None, "frames without a plate are aside"
        key = FieldKey(item.camera, item.fibres)
        group = self.fields.get(key)
        if group is None:
            group = self.fields[key] = FieldFrames(key)
            self.fields_of_plate.setdefault((item.camera, item.fibres.plate), []).append(group)
        return group

    def _group_sessions(self, fit: list[Sighting]) -> None:
        alike: dict[tuple[FrameClass, DetectorKey, str], list[Sighting]] = defaultdict(list)
        last_run: dict[tuple[int, FrameClass], int] = {}
        for item in fit:
            kind = item.frame.frame_class
            last_run[item.frame.arm.ccd, kind] = item.frame.run
            if kind in DETECTOR_CLASSES:
                label = f"{item.frame.exposed:.0f}" if kind is FrameClass.DARK else ""
                alike[kind, item.detector, label].append(item)
        numbers = _number_detectors(alike)
        for (kind, detector, label), members in alike.items():
            for ordinal, part in enumerate(_split_by_time(members), start=1):
                session = Session(
                    self.night,
                    kind,
                    detector,
                    numbers[detector],
                    label if ordinal == 1 else f"{label}-{ordinal}",
                    tuple(part),
                    any(
                        run > part[-1].frame.run
                        for (ccd, other), run in last_run.items()
                        if ccd == detector.ccd and other is not kind
                    ),
                    *_last_seen_and_pace(part),
                )
                self.sessions.setdefault((kind, detector), []).append(session)
                for item in part:
                    self.session_of[item.frame_id] = session

    def _group_science(self, fit: list[Sighting]) -> None:
        groups: dict[tuple[CameraKey, PointingKey], list[Sighting]] = defaultdict(list)
        labels: dict[tuple[int, str], list[PointingKey]] = defaultdict(list)
        for item in fit:
            frame = item.frame
            if not frame.frame_class.is_science or not item.subject or item.fibres is None:
                continue
            self.arms_of_run.setdefault(frame.run, {})[frame.arm.ccd] = item
            pointing = pointing_of(item)
            groups[item.camera, pointing].append(item)
            known = labels[item.fibres.plate, frame.field]
            if pointing not in known:
                known.append(pointing)
        for (camera, pointing), members in groups.items():
            frame = members[0].frame
            place = labels[pointing.fibres.plate, frame.field].index(pointing) + 1
            label = frame.field if place == 1 else f"{frame.field}-{place}"
            self.exposures[camera, pointing] = Exposures(camera, pointing, label, tuple(members))


def pointing_of(item: Sighting) -> PointingKey:
    """Pointing of a science frame."""
    assert item.fibres is not None, "science without a plate is aside"
    name = " ".join(item.frame.object_name.split()).casefold()
    return PointingKey(item.fibres, item.frame.frame_class, name)


def _by_run(item: Sighting) -> tuple[int, int, str]:
    return item.frame.run, item.frame.arm.ccd, item.frame_id


def _by_completion(item: Sighting) -> tuple[datetime, str]:
    return item.frame.completed_at, item.frame_id


def _number_setups(everything: list[Sighting]) -> dict[CameraKey, int]:
    """Number of each camera set-up among those of its grating and arm, in order of first use."""
    numbers: dict[CameraKey, int] = {}
    used: dict[tuple[int, str], int] = defaultdict(int)
    for item in everything:
        if item.frame.frame_class not in DETECTOR_CLASSES and item.camera not in numbers:
            place = (item.camera.ccd, item.camera.grating)
            used[place] += 1
            numbers[item.camera] = used[place]
    return numbers


def _number_detectors(
    alike: Mapping[tuple[FrameClass, DetectorKey, str], list[Sighting]],
) -> dict[DetectorKey, int]:
    first: dict[DetectorKey, int] = {}
    for (_, detector, _), members in alike.items():
        first[detector] = min(members[0].frame.run, first.get(detector, 10**6))
    numbers: dict[DetectorKey, int] = {}
    used: dict[int, int] = defaultdict(int)
    for detector in sorted(first, key=lambda key: (first[key], key)):
        used[detector.ccd] += 1
        numbers[detector] = used[detector.ccd]
    return numbers


def _split_by_time(members: list[Sighting]) -> list[list[Sighting]]:
    """Sessions: runs of frames between which no gap is longer than `SESSION_GAP`; each in order of runs."""
    in_time = sorted(members, key=lambda item: (item.frame.utmjd, *_by_run(item)))
    parts = [[in_time[0]]]
    for before, item in pairwise(in_time):
        if item.frame.utmjd - before.frame.utmjd > SESSION_GAP:
            parts.append([])
        parts[-1].append(item)
    return [sorted(part, key=_by_run) for part in parts]


def _last_seen_and_pace(members: list[Sighting]) -> tuple[datetime, timedelta]:
    seen = sorted(item.seen_at for item in members)[-2:]
    return seen[-1], seen[-1] - seen[0]
