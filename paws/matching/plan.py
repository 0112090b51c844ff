"""The plan of a night: every reduction it wants, those to ask for now, and what becomes of each frame.

`plan` is pure: it depends on what is known and on the time it is given, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from paws.matching.chain import Chain
from paws.matching.choose import Progress
from paws.matching.night_index import (
    DETECTOR_CLASSES,
    FieldFrames,
    NightIndex,
    PointingKey,
    pointing_of,
)
from paws.matching.policy import MatchPolicy
from paws.matching.settle import Moment
from paws.matching.sighting import ParameterMark, Sighting
from paws.matching.splicing import why_not_spliced
from paws.matching.state import NightState
from paws.matching.task import Task, choices_of, to_reduction
from paws.matching.verdict import FrameDecision, aside, judge, not_chosen
from schemas.frames import CameraKey
from schemas.parameters import in_words
from schemas.reductions import Reduction
from schemas.vocabulary import CalibrationLevel, FrameClass, Priority, ReductionKind

_ExposuresKey = tuple[CameraKey, PointingKey]

__all__ = ["FrameDecision", "Plan", "plan"]

_CALIBRATION_KINDS = frozenset(ReductionKind) - {
    ReductionKind.REDUCE_OBJECT,
    ReductionKind.COMBINE_SPECTRA,
    ReductionKind.SPLICE,
}


@dataclass(frozen=True)
class Plan:
    """What a night needs.

    Attributes
    ----------
    wanted
        Key of the best version of every reduction wanted, by slot.
    slots
        Key of the version that each slot wants now, by slot. A slot in which nothing was asked for yet is
        not named.
    ready
        Reductions to ask for now.
    frames
        What becomes of each frame.
    next_wakeup
        When time alone changes the plan.
    looks_abroad
        Classes of which frames of other nights could change it.
    """

    night: str
    wanted: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[Reduction, ...] = ()
    frames: Mapping[str, FrameDecision] = field(default_factory=dict)
    next_wakeup: datetime | None = None
    looks_abroad: frozenset[FrameClass] = frozenset()


def plan(nights: Mapping[str, NightState], night: str, now: datetime, policy: MatchPolicy) -> Plan:
    """Plan of a night.

    Parameters
    ----------
    nights
        The night itself, and those near it whose calibrations may serve.
    """
    moment = Moment(now, policy)
    chain = Chain(nights, moment)
    index = nights[night].index
    flats, set_aside = judge_flats(chain, index)
    tasks = dict(principal_tasks(chain, index, flats))
    notes: dict[str, list[str]] = {}
    derived = [*_session_tasks(chain, index), *science_groups(chain, index, tasks, notes)]
    for frame_id, mark in nights[night].parameters.items():
        if mark.parameters:
            notes.setdefault(frame_id, []).append(_own_parameters(mark))
    maps = {item.frame_id: chain.tramline_map(item) for item in flats}
    wanted = closure([*tasks.values(), *maps.values(), *derived])
    frames: dict[str, FrameDecision] = {}
    for item in index.subjects:
        frame_id = item.frame_id
        if frame_id in index.aside:
            frames[frame_id] = aside(index.aside[frame_id])
        elif frame_id in set_aside:
            frames[frame_id] = not_chosen(set_aside[frame_id])
        else:
            task = tasks[frame_id]
            own_map = maps.get(frame_id)
            if own_map is not None and own_map.progress is Progress.FAILED:
                task = own_map
            frames[frame_id] = judge(task, notes.get(frame_id, ()), closed=_is_closed(chain, task))
    urgent = _urgent(wanted)
    return Plan(
        night,
        {task.slot: task.ideal.job_key for task in wanted if task.ideal and task.night == night},
        {task.slot: key for task in wanted if task.night == night and (key := task.slot_key)},
        tuple(_request(task, policy, chain, task.slot in urgent) for task in wanted if task.request),
        frames,
        moment.next_wakeup,
        frozenset(chain.looks_abroad),
    )


def _own_parameters(mark: ParameterMark) -> str:
    named = ", ".join(f"{name} {in_words(value)}" for name, value in mark.parameters)
    return f"reduced with {named}: {mark.reason} ({mark.who})"


def judge_flats(chain: Chain, index: NightIndex) -> tuple[list[Sighting], dict[str, str]]:
    """Flats that are reduced, and those that are not with the reason."""
    reduced: list[Sighting] = []
    set_aside: dict[str, str] = {}
    for group in index.fields.values():
        chosen = _choose_flats(chain, group)
        for flat in group.flats:
            if flat.sighting.frame_id in chosen:
                reduced.append(flat.sighting)
            else:
                set_aside[flat.sighting.frame_id] = flat.reason
    return [item for item in reduced if item.subject], set_aside


def _choose_flats(chain: Chain, group: FieldFrames) -> set[str]:
    """The best flats of a field, and the next best where all of these failed."""
    chosen: set[str] = set()
    viable = False
    rank = -1
    for flat in group.flats:
        if flat.rank != rank and viable:
            break
        rank = flat.rank
        chosen.add(flat.sighting.frame_id)
        made = chain.tramline_map(flat.sighting), chain.fibre_flat(flat.sighting)
        viable = viable or all(task.progress is not Progress.FAILED for task in made)
    return chosen


def principal_tasks(chain: Chain, index: NightIndex, flats: Iterable[Sighting]) -> Iterator[tuple[str, Task]]:
    for flat in flats:
        yield flat.frame_id, chain.fibre_flat(flat)
    makers = {
        FrameClass.MFARC: chain.arc,
        FrameClass.MFSKY: chain.sky,
        FrameClass.MFOBJECT: chain.target,
        FrameClass.MFFLX: chain.target,
        **dict.fromkeys(DETECTOR_CLASSES, chain.detector_frame),
    }
    for item in index.subjects:
        maker = makers.get(item.frame.frame_class)
        if maker is not None and item.frame_id not in index.aside:
            yield item.frame_id, maker(item)


def _session_tasks(chain: Chain, index: NightIndex) -> Iterator[Task]:
    for sessions in index.sessions.values():
        for session in sessions:
            if any(item.subject for item in session.members):
                yield chain.session(session)


def science_groups(
    chain: Chain, index: NightIndex, tasks: Mapping[str, Task], notes: dict[str, list[str]]
) -> Iterator[Task]:
    """Combined and spliced spectra. Why there is no splice is noted with the frame."""
    combined = {key: task for key, group in index.exposures.items() if (task := chain.combined(group))}
    yield from combined.values()
    pairs: dict[tuple[_ExposuresKey, _ExposuresKey], None] = {}
    for run, arms in index.arms_of_run.items():
        if len(arms) < 2:
            (ccd, alone), *_ = arms.items()
            other = "red" if ccd == 1 else "blue"
            notes.setdefault(alone.frame_id, []).append(f"not spliced: run {run} has no {other} frame")
            continue
        blue, red = arms[1], arms[2]
        reason = why_not_spliced(blue.frame, red.frame)
        if reason is not None:
            for item in (blue, red):
                notes.setdefault(item.frame_id, []).append(f"not spliced: {reason}")
            continue
        yield chain.spliced(tasks[blue.frame_id], tasks[red.frame_id])
        pairs[(blue.camera, pointing_of(blue)), (red.camera, pointing_of(red))] = None
    for blue_key, red_key in pairs:
        if blue_key in combined and red_key in combined:
            yield chain.spliced(combined[blue_key], combined[red_key])


def closure(tasks: Iterable[Task]) -> list[Task]:
    """Tasks and all they need, each once, what is needed first."""
    found: dict[str, Task] = {}
    for task in tasks:
        _add_with_sources(task, found)
    return list(found.values())


# Functions of their own, not inner ones: an inner function that calls itself is a cycle, which would keep
# the whole plan until the garbage collector comes, and that takes longer than planning.
def _add_with_sources(task: Task, found: dict[str, Task]) -> None:
    if task.slot in found:
        return
    for source in task.sources:
        _add_with_sources(source, found)
    found[task.slot] = task


def _urgent(tasks: Iterable[Task]) -> set[str]:
    """Slots that science without any product is waiting for."""
    urgent: set[str] = set()
    for task in tasks:
        if task.kind is ReductionKind.REDUCE_OBJECT and task.slot_key is None:
            _mark_sources(task, urgent)
    return urgent


def _mark_sources(task: Task, urgent: set[str]) -> None:
    for source in task.sources:
        if source.progress is Progress.COMING and source.slot not in urgent:
            urgent.add(source.slot)
            _mark_sources(source, urgent)


def _is_closed(chain: Chain, task: Task) -> bool:
    """Whether a blocked task can hope no more. Asked of blocked tasks only, for it sets a wake-up."""
    return task.progress is Progress.BLOCKED and chain.closed(task.night)


def _request(task: Task, policy: MatchPolicy, chain: Chain, urgent: bool) -> Reduction:
    redo = bool(task.standing)
    if redo and not urgent:
        priority = Priority.FINAL if chain.closed(task.night) else Priority.REDO
    else:
        priority = Priority.LIVE_CALIBRATION if task.kind in _CALIBRATION_KINDS else Priority.LIVE
    return to_reduction(task, policy, priority, _why_now(task, redo))


def _why_now(task: Task, redo: bool) -> str:
    if task.active is not None and not task.active.best:
        return f"provisional, because still {task.reason}"
    if redo:
        return "redone, because a better choice of frames or calibrations came"
    if task.provisional:
        levels = [choice.level for choice in choices_of(task) if choice.role.mandatory]
        worst = CalibrationLevel(max(levels, default=CalibrationLevel.SAME_FIELD))
        return f"provisional, with calibrations of the {worst.meaning}"
    return "everything it needs is there"
