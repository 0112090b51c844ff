"""Whether the field that is being observed can be reduced: what is there, at which level, what is missing. Pure.

The same rules decide as for a frame that was taken: the question is what the matcher would choose for an exposure that
was taken now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from paws.clock import MJD_EPOCH, from_mjd
from paws.matching.chain import Chain
from paws.matching.choose import Candidate, MatchDecision, Progress
from paws.matching.night_index import FieldKey
from paws.matching.policy import MatchPolicy
from paws.matching.settle import Moment
from paws.matching.sighting import Sighting
from paws.matching.state import NightState
from schemas.frames import FibreKey, Frame
from schemas.vocabulary import Arm, CalibrationLevel, CalibrationRole, FrameClass


class RoleState(StrEnum):
    """How it stands with a calibration."""

    READY = "ready"
    BETTER_COMES = "better comes"
    COMES = "in reduction"
    WAITS = "waits for another"
    FAR = "of another field"
    MISSING = "missing"


@dataclass(frozen=True)
class RoleReadiness:
    """One calibration of an arm.

    Attributes
    ----------
    level
        At which it would be used now; None while there is none that could be.
    sources
        Identifiers of the frames it would be made from.
    age_hours
        Calibration minus now.
    reason
        For people; may name frames.
    action
        What to take next; empty when nothing is needed.
    """

    role: CalibrationRole
    state: RoleState
    level: CalibrationLevel | None
    sources: tuple[str, ...]
    age_hours: float | None
    reason: str
    action: str


@dataclass(frozen=True)
class ArmReadiness:
    """One arm of the field.

    Attributes
    ----------
    level
        At which a frame taken now would be reduced now; None when it would have to wait.
    roles
        Mandatory ones first.
    """

    arm: Arm
    grating: str
    level: CalibrationLevel | None
    roles: tuple[RoleReadiness, ...]

    @property
    def lacking(self) -> bool:
        """Whether something that it waits for has not been taken, or cannot be had."""
        return any(item.role.mandatory and item.state is RoleState.MISSING for item in self.roles)


@dataclass(frozen=True)
class Readiness:
    """The field that is being observed.

    Attributes
    ----------
    since
        First frame through its fibres.
    actions
        What to take next, the most needed first; each once for both arms.
    """

    field: str
    plate: int
    since: datetime
    arms: tuple[ArmReadiness, ...]
    actions: tuple[str, ...]


_WANTED: Final = (
    CalibrationRole.TLM,
    CalibrationRole.ARC,
    CalibrationRole.FFLAT,
    CalibrationRole.BIAS,
    CalibrationRole.DARK,
    CalibrationRole.LFLAT,
    CalibrationRole.THPUT,
)
_TAKE: Final[dict[CalibrationRole, str]] = {
    CalibrationRole.TLM: "Take a fibre flat of this field, exposed for the {arms} arm, before the telescope moves.",
    CalibrationRole.FFLAT: "Take a fibre flat of this field, exposed for the {arms} arm, before the telescope moves.",
    CalibrationRole.ARC: "Take an arc of this field before the telescope moves ({arms} arm).",
    CalibrationRole.BIAS: "Take biases ({arms} arm) at the end of the night: none of this run is known.",
}
"""What to take when a calibration is missing. Darks, long-slit flats and offset skies are a matter of taste."""


def observed_field(frames: Iterable[Frame]) -> list[Frame]:
    """Frames of the field being observed: that of the newest frame through the fibres. Empty before the first."""
    fibres = [frame for frame in frames if frame.frame_class.needs_fibres and frame.fibre_key is not None]
    if not fibres:
        return []
    newest = max(fibres, key=lambda frame: (frame.utmjd, frame.run))
    return [frame for frame in fibres if frame.fibre_key == newest.fibre_key]


def readiness(
    nights: Mapping[str, NightState], frames: Iterable[Frame], now: datetime, policy: MatchPolicy
) -> Readiness | None:
    """Readiness of the field that is being observed; None before the first frame through fibres.

    Parameters
    ----------
    nights
        What is known of the night and of those near it.
    frames
        All of the night that count: not junked.
    """
    of_field = observed_field(frames)
    if not of_field:
        return None
    newest = max(of_field, key=lambda frame: (frame.utmjd, frame.run))
    arms = []
    for arm in Arm:
        own = [frame for frame in of_field if frame.arm is arm]
        if own:
            arms.append(_arm(nights, max(own, key=lambda frame: (frame.utmjd, frame.run)), now, policy))
    since = min(frame.utmjd for frame in of_field)
    return Readiness(newest.field, _fibres(newest).plate, from_mjd(since), tuple(arms), _actions(arms))


def _arm(nights: Mapping[str, NightState], like: Frame, now: datetime, policy: MatchPolicy) -> ArmReadiness:
    """What the matcher would choose for an exposure with the set-up of a frame, taken now."""
    exposure = like.model_copy(
        update={
            "frame_id": f"{like.frame_id}-next",
            "frame_class": FrameClass.MFOBJECT,
            "run": like.run + 1,
            "utmjd": (now - MJD_EPOCH).total_seconds() / 86400.0,
        }
    )
    chain = Chain(nights, Moment(now, policy))
    # What is asked for beyond this does not matter: nothing is requested here.
    task = chain.target(Sighting(exposure, now))
    decisions = {decision.role: decision for decision in task.decisions}
    group = nights[like.night].index.fields.get(FieldKey(like.camera_key, _fibres(like)))
    there = set()
    if group is not None and group.flats:
        there |= {CalibrationRole.TLM, CalibrationRole.FFLAT}
    if group is not None and group.arcs:
        there.add(CalibrationRole.ARC)
    roles = tuple(
        _role(decisions[role], _TAKE.get(role, "").format(arms=like.arm.value), there=role in there)
        for role in _WANTED
        if role in decisions
    )
    ready = [item.level for item in roles if item.role.mandatory]
    level = (
        None
        if any(one is None for one in ready)
        else max((one for one in ready if one is not None), default=None)
    )
    return ArmReadiness(like.arm, like.grating, level, roles)


def _fibres(frame: Frame) -> FibreKey:
    fibres = frame.fibre_key
    assert fibres is not None, "observed_field chose frames with fibres"
    return fibres


def _role(decision: MatchDecision, take: str, *, there: bool) -> RoleReadiness:
    role, ready, chosen = decision.role, decision.ready, decision.chosen
    # What was taken need not be taken again.
    take = "" if there else take
    shown = ready or chosen
    if shown is None:
        refused = "; ".join(dict.fromkeys(item.reason for item in decision.refused[:4]))
        if there and refused:
            # It was taken, and lacks what it needs itself: a flat its arc.
            return RoleReadiness(role, RoleState.WAITS, None, (), None, refused, "")
        reason = (
            f"{decision.missing}{f' ({refused})' if refused else ''}"
            if decision.missing
            else refused or "there is none"
        )
        return RoleReadiness(role, RoleState.MISSING, None, (), None, reason, take)
    names = ", ".join(item.frame.stem for item in shown.sources[:3]) + (
        ", …" if len(shown.sources) > 3 else ""
    )
    found = RoleReadiness(
        role,
        RoleState.READY,
        ready.level if ready is not None else None,
        tuple(item.frame_id for item in shown.sources),
        round(shown.age_days * 24, 2),
        f"{names}: {shown.level.meaning}",
        "",
    )
    if ready is None:
        assert chosen is not None, "one of both is shown"
        return replace(found, state=RoleState.COMES, reason=f"{names}: {_progress(chosen)}")
    if chosen is not None and chosen is not ready:
        coming = ", ".join(item.frame.stem for item in chosen.sources[:3])
        return replace(
            found, state=RoleState.BETTER_COMES, reason=f"{found.reason}; {coming} is in reduction"
        )
    if decision.mandatory and ready.level is not CalibrationLevel.SAME_FIELD:
        return replace(found, state=RoleState.FAR, action=take)
    return found


def _progress(candidate: Candidate) -> str:
    return "waits" if candidate.maker.progress is Progress.HELD else "in reduction"


def _actions(arms: Iterable[ArmReadiness]) -> tuple[str, ...]:
    """What to take next. What both arms lack is said once."""
    lacking: dict[CalibrationRole, list[str]] = {}
    for arm in arms:
        for item in arm.roles:
            # A fibre flat gives the tramline map too.
            role = CalibrationRole.FFLAT if item.role is CalibrationRole.TLM else item.role
            if item.action and arm.arm.value not in lacking.setdefault(role, []):
                lacking[role].append(arm.arm.value)
    return tuple(
        _TAKE[role].format(arms=" and the ".join(lacking[role])) for role in _TAKE if lacking.get(role)
    )
