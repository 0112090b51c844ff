"""Choosing a calibration: candidates from near to far, and the first that can be had, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from paws.clock import nights_apart
from paws.matching.night_index import FieldFrames, FieldKey, NightIndex, Session
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import Sighting
from schemas.frames import CameraKey, FibreKey
from schemas.vocabulary import CalibrationLevel, CalibrationRole, FrameClass, ProductKind

PRODUCTS_FOR = {
    CalibrationRole.BIAS: (ProductKind.BIAS, ProductKind.COMBINED_BIAS),
    CalibrationRole.DARK: (ProductKind.DARK, ProductKind.COMBINED_DARK),
    CalibrationRole.LFLAT: (ProductKind.LFLAT, ProductKind.COMBINED_LFLAT),
    CalibrationRole.TLM: (ProductKind.TLM,),
    CalibrationRole.ARC: (ProductKind.ARC,),
    CalibrationRole.FFLAT: (ProductKind.FFLAT,),
    CalibrationRole.THPUT: (ProductKind.SKY,),
}
"""What serves in a role."""

_MANDATORY = frozenset(role for role in CalibrationRole if role.mandatory)


class Progress(Enum):
    """How far the best version of a product is.

    HELD waits for something that may never come, BLOCKED lacks something and nothing is being done about it.
    """

    DONE = "done"
    COMING = "in reduction"
    HELD = "held back"
    BLOCKED = "blocked"
    FAILED = "failed"


class Offer(NamedTuple):
    """A product, by the key of the reduction that makes it."""

    job_key: str
    kind: ProductKind


class Maker(Protocol):
    """What makes a calibration product, as far as choosing needs to know."""

    @property
    def progress(self) -> Progress:
        """How far the best version is."""
        ...

    @property
    def reason(self) -> str:
        """Why it is no further."""
        ...

    @property
    def offer(self) -> Offer:
        """The best version."""
        ...

    @property
    def offer_now(self) -> Offer | None:
        """The version that can be used now, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A calibration that may serve in a role.

    Attributes
    ----------
    age_days
        Calibration minus frame, days.
    note
        What speaks for it beyond its level.
    """

    maker: Maker
    sources: tuple[Sighting, ...]
    level: CalibrationLevel
    age_days: float
    note: str = ""

    @property
    def frame_id(self) -> str:
        """Frame that names the candidate."""
        return self.sources[0].frame_id


class Refusal(NamedTuple):
    """A candidate that was passed over."""

    frame_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class MatchDecision:
    """What was chosen for a role, and why.

    Attributes
    ----------
    chosen
        The best that can be had, though it may not be ready; None if there is nothing.
    ready
        The best that can be used now.
    refused
        What was passed over, nearest first.
    missing
        What is missing, in words, when nothing was chosen.
    """

    role: CalibrationRole
    chosen: Candidate | None
    ready: Candidate | None
    refused: tuple[Refusal, ...] = ()
    missing: str = ""

    @property
    def mandatory(self) -> bool:
        """Whether a reduction waits for this role."""
        return self.role in _MANDATORY

    @property
    def far(self) -> bool:
        """Whether a mandatory calibration is not of the frame's own field."""
        return (
            self.chosen is not None
            and self.chosen.level is not CalibrationLevel.SAME_FIELD
            and self.role in _MANDATORY
        )

    @property
    def waits(self) -> bool:
        """Whether something better than what is ready is on its way."""
        return self.chosen is not None and self.chosen.maker.progress is not Progress.DONE


def pick(
    role: CalibrationRole,
    candidates: Iterable[Candidate],
    refused: Iterable[Refusal] = (),
    missing: str = "",
    any_made: Callable[[CalibrationRole], bool] = lambda _role: True,
) -> MatchDecision:
    """First candidate that can be had, and the first that can be used now.

    Parameters
    ----------
    candidates
        From best to worst. Only as many are looked at as needed.
    refused
        What was passed over before, such as junked frames of the same field.
    missing
        What to say when there is no candidate.
    any_made
        Whether any product for a role was made yet; if not, nobody need look for one to use now.
    """
    passed = list(refused)
    chosen: Candidate | None = None
    for candidate in candidates:
        maker = candidate.maker
        if chosen is None:
            if maker.progress is Progress.FAILED or maker.progress is Progress.BLOCKED:
                passed.append(Refusal(candidate.frame_id, maker.reason))
                continue
            chosen = candidate
        if maker.offer_now is not None:
            return MatchDecision(role, chosen, candidate, tuple(passed))
        if not any_made(role):
            break
    return MatchDecision(role, chosen, None, tuple(passed), "" if chosen else missing)


_ROLE_OF_CLASS = {
    FrameClass.MFFFF: (CalibrationRole.TLM, CalibrationRole.FFLAT),
    FrameClass.MFARC: (CalibrationRole.ARC,),
    FrameClass.MFSKY: (CalibrationRole.THPUT,),
}


def refused_in_field(index: NightIndex, sighting: Sighting, role: CalibrationRole) -> list[Refusal]:
    """Calibration frames of a frame's own field that are junked or unfit."""
    own = _own_field(index, sighting.camera, sighting.fibres)
    if own is None or not own.passed_over:
        return []
    return [
        Refusal(item.frame_id, item.reason)
        for item in own.passed_over
        if role in _ROLE_OF_CLASS.get(item.frame_class, ())
    ]


class Nearby(NamedTuple):
    """A calibration frame near a frame: how near, and how good of its kind."""

    level: CalibrationLevel
    rank: int
    age_days: float
    sighting: Sighting
    note: str = ""

    @property
    def order(self) -> tuple[int, float, bool, int, str]:
        """Sort key within a level: the better exposed, then the nearer in time, earlier before later."""
        frame = self.sighting.frame
        return self.rank, abs(self.age_days), self.age_days > 0, frame.run, frame.frame_id


def nearby_fibre_frames(
    sighting: Sighting, kind: FrameClass, indices: Mapping[str, NightIndex], policy: MatchPolicy
) -> Iterator[Nearby]:
    """Flats, arcs or sky frames taken with a frame's camera set-up and plate, from best to worst.

    The plate must be the same at every level: the other plate has another slit.
    """
    night = sighting.frame.night
    fibres = sighting.fibres
    assert fibres is not None, "frames without a plate are aside"
    index = indices.get(night)
    if index is not None:
        own = _own_field(index, sighting.camera, fibres)
        yield from _in_fields([own] if own else [], kind, sighting, CalibrationLevel.SAME_FIELD)
        if policy.max_level < CalibrationLevel.SAME_PLATE:
            return
        others = index.fields_of_plate.get((sighting.camera, fibres.plate), [])
        others = [group for group in others if group is not own]
        yield from _in_fields(others, kind, sighting, CalibrationLevel.SAME_PLATE)
    for level, nights in other_nights(night, indices, policy):
        fields = [
            group
            for other in nights
            for group in indices[other].fields_of_plate.get((sighting.camera, fibres.plate), [])
        ]
        yield from _in_fields(fields, kind, sighting, level)


def other_nights(
    night: str, indices: Mapping[str, NightIndex], policy: MatchPolicy
) -> Iterator[tuple[CalibrationLevel, list[str]]]:
    """Other nights that may serve, by level."""
    if policy.max_level < CalibrationLevel.ADJACENT_NIGHT or len(indices) < 2:
        return
    apart = {other: abs(nights_apart(night, other)) for other in indices if other != night}
    bounds = (
        (CalibrationLevel.ADJACENT_NIGHT, 1, 1),
        (CalibrationLevel.SAME_RUN, 2, policy.run_nights),
        (CalibrationLevel.LIBRARY, policy.run_nights + 1, policy.horizon),
    )
    for level, nearest, farthest in bounds:
        if level <= policy.max_level:
            yield level, sorted(other for other, n in apart.items() if nearest <= n <= farthest)


def nearby_sessions(
    sighting: Sighting, kind: FrameClass, indices: Mapping[str, NightIndex], policy: MatchPolicy
) -> Iterator[tuple[CalibrationLevel, float, Session]]:
    """Sessions of biases, darks or long-slit flats with a frame's read-out, from best to worst.

    Darks of the nearest exposure time come first. Then sessions before the frame are preferred to later
    ones, so that biases taken in the morning do not undo the night; and no later night is looked at, so that
    the biases of an evening do not undo the night before.

    Yields
    ------
    tuple
        Level, age (days, session minus frame) and session.
    """
    night = sighting.frame.night
    own = [(CalibrationLevel.SAME_FIELD, [night])] if night in indices else []
    for level, nights in (*own, *other_nights(night, indices, policy)):
        sessions = [
            session
            for other in nights
            if other <= night
            for session in indices[other].sessions.get((kind, sighting.detector), [])
        ]
        for session in sorted(sessions, key=lambda item: _session_order(item, sighting)):
            yield level, session.mjd - sighting.frame.utmjd, session


def _session_order(session: Session, sighting: Sighting) -> tuple[float, bool, float, str, str]:
    age = session.mjd - sighting.frame.utmjd
    exposure = 0.0
    if session.frame_class is FrameClass.DARK:
        exposure = abs(session.members[0].frame.exposed - sighting.frame.exposed)
    return exposure, age > 0, abs(age), session.night, session.label


def _own_field(index: NightIndex, camera: CameraKey, fibres: FibreKey | None) -> FieldFrames | None:
    return None if fibres is None else index.fields.get(FieldKey(camera, fibres))


def _in_fields(
    fields: list[FieldFrames], kind: FrameClass, sighting: Sighting, level: CalibrationLevel
) -> list[Nearby]:
    mjd = sighting.frame.utmjd
    if kind is FrameClass.MFFFF:
        found = [
            Nearby(level, flat.rank, flat.sighting.frame.utmjd - mjd, flat.sighting, flat.reason)
            for group in fields
            for flat in group.flats
        ]
    else:
        found = [
            Nearby(level, 0, item.frame.utmjd - mjd, item)
            for group in fields
            for item in (group.arcs if kind is FrameClass.MFARC else group.skies)
        ]
    if len(found) > 1:
        found.sort(key=lambda item: item.order)
    return found
