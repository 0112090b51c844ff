"""Frames of invented nights, and an engine that ends reductions at once: for tests of the matcher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from paws.matching.plan import Plan, plan
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import JunkMark, Sighting
from paws.matching.state import Finished, NightState
from schemas.frames import ExposureLevel, Frame, field_label, frame_id
from schemas.reductions import Reduction
from schemas.vocabulary import Arm, FrameClass, ReductionState

NIGHT = "20260312"
EVENING = datetime(2026, 3, 12, 8, tzinfo=UTC)
MJD = 61111.0
LAST_NOON = datetime(2026, 3, 13, 3, tzinfo=UTC)

_SETUPS = {Arm.BLUE: ("580V", 4800, "E2V2A"), Arm.RED: ("385R", 7250, "E2V3A")}


def make_frame(
    frame_class: FrameClass | str,
    run: int,
    arm: Arm = Arm.BLUE,
    *,
    night: str = NIGHT,
    minutes: float | None = None,
    field_name: str = "FLD1",
    plate: int = 0,
    bright: float = 20000.0,
    saturated: float = 0.0,
    content: str = "",
    **changes: Any,
) -> Frame:
    """A frame of an invented night: run `n` is taken `3 n` minutes into it, unless told otherwise."""
    kind = FrameClass(frame_class)
    grating, centre, detector = _SETUPS[arm]
    start = 3.0 * run if minutes is None else minutes
    day = (datetime.strptime(night, "%Y%m%d") - datetime(2026, 3, 12)).days
    name = f"{night[6:]}mar{arm.ccd}{run:04d}.fits"
    checksum = hashlib.sha256(f"{night}{name}{content}".encode()).hexdigest()
    configuration = f"{field_name}_260312_r01_p{plate}.sds" if kind.needs_fibres else ""
    exposed = {FrameClass.BIAS: 0.0, FrameClass.DARK: 1800.0, FrameClass.MFOBJECT: 1200.0}.get(kind, 10.0)
    facts: dict[str, Any] = {
        "frame_id": frame_id(night, name, checksum),
        "night": night,
        "name": name,
        "path": f"/raw/{night}/{name}",
        "checksum": checksum,
        "size_bytes": 17_000_000,
        "completed_at": EVENING + timedelta(days=day, minutes=start),
        "frame_class": kind,
        "arm": arm,
        "run": run,
        "instrument": "AAOMEGA-2dF",
        "object_name": field_name if kind.is_science else kind.value,
        "exposed": exposed,
        "utmjd": MJD + day + start / 1440.0,
        "detector": detector,
        "window": "AAOMEGA_2DF",
        "speed": "NORMAL",
        "readamp": "RIGHT",
        "grating": grating,
        "central_wavelength": centre,
        "dichroic": "X5700",
        "plate": plate if kind.needs_fibres else None,
        "configuration": configuration,
        "field": field_label(configuration) if configuration else "",
        "exposure": ExposureLevel(median=100.0, bright=bright, saturated_fraction=saturated),
    }
    return Frame(**(facts | changes))


def make_night(
    fields: int = 2,
    exposures: int = 3,
    biases: int = 3,
    *,
    night: str = NIGHT,
    arms: tuple[Arm, ...] = (Arm.BLUE, Arm.RED),
) -> list[Frame]:
    """A night as observers take it: biases, then for each field two flats, an arc and the science."""
    frames: list[Frame] = []
    run = 0

    def take(frame_class: FrameClass, **facts: Any) -> None:
        nonlocal run
        run += 1
        levels = facts.pop("levels", {})
        frames.extend(
            make_frame(frame_class, run, arm, night=night, **facts, **levels.get(arm, {})) for arm in arms
        )

    for _ in range(biases):
        take(FrameClass.BIAS)
    for number in range(fields):
        where = {"field_name": f"FLD{number + 1}", "plate": number % 2}
        take(FrameClass.MFFFF, **where, levels={Arm.BLUE: {"bright": 900.0}})
        take(
            FrameClass.MFFFF,
            **where,
            levels={Arm.RED: {"bright": 65000.0, "saturated": 0.4}},
        )
        take(FrameClass.MFARC, **where)
        for _ in range(exposures):
            take(FrameClass.MFOBJECT, **where)
    return frames


@dataclass
class Observatory:
    """The matcher's world in a test: a clock that is turned by hand, and an engine that obeys.

    Attributes
    ----------
    fails
        Whether a reduction fails; asked once for each key.
    executed
        Every reduction that the engine carried out, by key.
    """

    policy: MatchPolicy = field(default_factory=MatchPolicy)
    fails: Callable[[Reduction], bool] = lambda reduction: False
    now: datetime = EVENING
    nights: dict[str, NightState] = field(default_factory=dict)
    executed: dict[str, Reduction] = field(default_factory=dict)
    queue: dict[str, Reduction] = field(default_factory=dict)

    def state(self, night: str = NIGHT) -> NightState:
        """State of a night."""
        return self.nights.setdefault(night, NightState(night))

    def arrive(self, *frames: Frame, subject: bool = True) -> None:
        """Let frames arrive now."""
        for frame in frames:
            self.state(frame.night).fold_frame(Sighting(frame, self.now, subject))

    def junk(self, frame: Frame, junked: bool = True, at: datetime | None = None) -> None:
        """Let a person junk a frame, or take that back."""
        mark = JunkMark(junked, "clouds", "observer", at or self.now)
        self.state(frame.night).fold_junk(frame.frame_id, mark)

    def plan(self, night: str = NIGHT) -> Plan:
        """Plan now, and hand what is asked for to the engine."""
        result = plan(self.nights, night, self.now, self.policy)
        for reduction in result.ready:
            assert reduction.job_key not in self.state(reduction.night).requested, "asked for twice"
            assert reduction.job_key not in self.state(reduction.night).finished, "asked for though done"
            self.state(reduction.night).requested[reduction.job_key] = self.now
            self.queue[reduction.job_key] = reduction
        return result

    def finish(self, keys: Iterable[str] | None = None) -> None:
        """Let the engine end reductions: all in the queue, or those named."""
        for key in list(self.queue if keys is None else keys):
            reduction = self.queue.pop(key)
            state = ReductionState.FAILED if self.fails(reduction) else ReductionState.SUCCEEDED
            again = self.executed.setdefault(key, reduction)
            assert again.calibrations == reduction.calibrations or again.kind == reduction.kind
            error = "the engine says no" if state is ReductionState.FAILED else ""
            self.state(reduction.night).fold_finished(key, Finished(reduction.slot, state, self.now, error))

    def settle(self, night: str = NIGHT, *, until: datetime | None = None) -> Plan:
        """Plan and reduce until nothing happens any more; with `until`, let time pass as well."""
        for _ in range(2000):
            result = self.plan(night)
            if self.queue:
                self.finish()
            elif until is not None and result.next_wakeup is not None and result.next_wakeup <= until:
                assert result.next_wakeup > self.now, "a wake-up in the past would be a busy loop"
                self.now = result.next_wakeup
            else:
                return result
        raise AssertionError("the plan does not settle")


def kinds(reductions: Iterable[Reduction]) -> list[str]:
    """Kinds of reductions, sorted."""
    return sorted(reduction.kind.value for reduction in reductions)


def field_frames(
    first: int = 1, field_name: str = "FLD1", plate: int = 0, exposures: int = 1
) -> tuple[Frame, Frame, list[Frame]]:
    """A flat, an arc and exposures of a field."""
    where: dict[str, Any] = {"field_name": field_name, "plate": plate}
    flat = make_frame("MFFFF", first, **where)
    arc = make_frame("MFARC", first + 1, **where)
    science = [make_frame("MFOBJECT", first + 2 + n, **where) for n in range(exposures)]
    return flat, arc, science


def calibrations(reduction: Reduction) -> dict[str, tuple[str, ...]]:
    """Source frames by role."""
    return {item.role.value: item.source_frame_ids for item in reduction.calibrations}


def the(observatory: Observatory, slot: str, kind: str | None = None) -> Reduction:
    """Newest reduction of a slot that was carried out."""
    found = [item for item in observatory.executed.values() if item.slot == slot]
    assert found, (
        f"nothing was carried out for {slot}: {sorted(r.slot for r in observatory.executed.values())}"
    )
    return found[-1]
