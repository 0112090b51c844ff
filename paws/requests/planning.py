"""Which reductions a request needs, and which of them can start: by the rules of the live night. Pure.

The frames that were asked for are the subjects; all others may serve them. Nothing more is expected, so nothing is
waited for, and the answer depends on the frames and on what fails alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from paws.clock import nights_apart
from paws.matching.chain import Chain
from paws.matching.choose import Progress
from paws.matching.night_index import NightIndex
from paws.matching.plan import closure, judge_flats, principal_tasks, science_groups
from paws.matching.policy import MatchPolicy
from paws.matching.settle import Moment
from paws.matching.state import NightState
from paws.matching.task import Task, to_reduction
from paws.matching.verdict import FAILED, FrameDecision, aside, judge, not_chosen
from paws.requests.wish import Wish
from schemas.layout import own_slot
from schemas.reductions import Reduction
from schemas.vocabulary import Arm, FrameState, Priority, ProductKind, ReductionKind

_PATIENT = 3600.0
_NAMED = 3


@dataclass(frozen=True)
class Part:
    """A reduction that a request needs.

    Attributes
    ----------
    slot
        Of the night's plan.
    label
        What it reduces, for people.
    result
        Whether it is what was asked for; else it serves that.
    reason
        What it waits for, or how it ended.
    """

    job_key: str
    slot: str
    kind: ReductionKind
    night: str
    arm: Arm | None
    label: str
    result: bool
    reason: str = ""


@dataclass(frozen=True)
class Missing:
    """A frame or a result of which nothing can be made, with the reason."""

    label: str
    reason: str


@dataclass(frozen=True)
class RequestPlan:
    """What a request needs.

    Attributes
    ----------
    parts
        Every reduction, what is needed first comes first.
    ready
        Those to ask for now, in the slots of their night's plan; see `beside`.
    frames
        What becomes of each frame that was asked for.
    """

    parts: tuple[Part, ...] = ()
    ready: tuple[Reduction, ...] = ()
    frames: Mapping[str, FrameDecision] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()


def horizon_nights(nights: Iterable[str], known: Iterable[str], policy: MatchPolicy) -> list[str]:
    """Nights that may serve some nights, themselves included."""
    wanted = sorted(set(nights))
    return sorted(
        other
        for other in set(known) | set(wanted)
        if any(abs(nights_apart(night, other)) <= policy.horizon for night in wanted)
    )


def long_after(nights: Iterable[str], policy: MatchPolicy) -> datetime:
    """A time at which nothing more is waited for in any of the nights."""
    longest = timedelta(seconds=policy.match_wait + _PATIENT + policy.group_quiet)
    return max(map(policy.ends_at, nights)) + longest + timedelta(days=1)


def plan_request(
    states: Mapping[str, NightState], nights: Sequence[str], wish: Wish, site: MatchPolicy
) -> RequestPlan:
    """Plan a request.

    Parameters
    ----------
    states
        Of its nights and of those near them. Frames that were asked for are subjects, and seen at the end of their
        night.
    nights
        Of the frames that were asked for.
    site
        The site's rules.
    """
    # Nobody waits for a quick look here: what is in reduction is always waited for.
    policy = replace(wish.policy(site), optional_wait=_PATIENT)
    now = long_after(states, policy)
    parts: dict[str, Part] = {}
    ready: dict[str, Reduction] = {}
    frames: dict[str, FrameDecision] = {}
    missing: dict[str, Missing] = {}
    for night in sorted(set(nights)):
        near = {
            other: state
            for other, state in states.items()
            if abs(nights_apart(night, other)) <= policy.horizon
        }
        chain = Chain(near, Moment(now, policy))
        index = near[night].index
        results, decisions = _results(chain, index, wish)
        frames.update(decisions)
        missing.update(_frames_missing(index, decisions))
        wanted = {task.slot for task in results}
        for task in closure(results):
            if task.ideal is None:
                if task.slot in wanted and not task.frames:
                    missing[task.slot] = Missing(label_of(task), task.reason)
                continue
            part = _part(task, task.slot in wanted)
            if part.job_key not in parts or part.result:
                parts[part.job_key] = part
            if task.request and task.ideal.job_key not in ready:
                ready[task.ideal.job_key] = to_reduction(task, policy, Priority.ON_DEMAND, "asked for")
    return RequestPlan(tuple(parts.values()), tuple(ready.values()), frames, tuple(missing.values()))


def beside(reduction: Reduction, variant: str) -> Reduction:
    """The same reduction in a slot beside the night's plan: it supersedes nothing there."""
    layout = reduction.layout.model_copy(update={"variant": variant})
    return reduction.model_copy(update={"slot": own_slot(reduction.slot, variant), "layout": layout})


def label_of(task: Task) -> str:
    """What a task reduces, for people."""
    if task.frames:
        return ", ".join(item.frame.stem for item in task.frames[:_NAMED])
    stems = list(dict.fromkeys(item.frame.stem for item in task.subjects))
    if task.product in (ProductKind.COMBINED, ProductKind.SPLICED_COMBINED):
        layout = task.layout()
        return f"{layout.field}, {len(stems)} frames"
    return ", ".join(stems[:_NAMED]) + (f" and {len(stems) - _NAMED} more" if len(stems) > _NAMED else "")


def _results(chain: Chain, index: NightIndex, wish: Wish) -> tuple[list[Task], dict[str, FrameDecision]]:
    """Tasks that were asked for, and what becomes of each frame."""
    flats, set_aside = judge_flats(chain, index)
    tasks = dict(principal_tasks(chain, index, flats))
    notes: dict[str, list[str]] = {}
    groups = list(_wanted_groups(science_groups(chain, index, tasks, notes), wish))
    decisions: dict[str, FrameDecision] = {}
    for item in index.subjects:
        if item.frame_id in index.aside:
            decisions[item.frame_id] = aside(index.aside[item.frame_id])
        elif item.frame_id in set_aside:
            decisions[item.frame_id] = not_chosen(set_aside[item.frame_id])
        else:
            own = notes.get(item.frame_id, ()) if wish.options.splice else ()
            decisions[item.frame_id] = judge(tasks[item.frame_id], own, closed=True)
    return [*tasks.values(), *groups], decisions


def _frames_missing(
    index: NightIndex, decisions: Mapping[str, FrameDecision]
) -> Iterator[tuple[str, Missing]]:
    """Frames of which nothing can be made. Where a reduction failed, that says it already."""
    names = {item.frame_id: item.frame.stem for item in index.subjects}
    for frame_id, decision in decisions.items():
        gone = decision.task is None or decision.task.ideal is None
        if gone and decision.state in (FAILED, FrameState.JUNKED.value):
            yield frame_id, Missing(names[frame_id], decision.reason)


def _wanted_groups(groups: Iterable[Task], wish: Wish) -> Iterator[Task]:
    for task in groups:
        if not wish.options.splice and task.kind is ReductionKind.SPLICE:
            continue
        if not wish.options.combine and task.product in (ProductKind.COMBINED, ProductKind.SPLICED_COMBINED):
            continue
        yield task


def _part(task: Task, result: bool) -> Part:
    assert task.ideal is not None, "asked of tasks that can be made"
    ccds = {item.frame.arm for item in task.subjects}
    return Part(
        task.ideal.job_key,
        task.slot,
        task.kind,
        task.night,
        next(iter(ccds)) if len(ccds) == 1 else None,
        label_of(task),
        result,
        "" if task.progress is Progress.DONE else task.reason,
    )
