"""Settling a task: is its best version done, to be asked for, or waited for, and what stands in meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from paws.matching.choose import Candidate, Offer, Progress
from paws.matching.policy import MatchPolicy
from paws.matching.state import Finished, NightState
from paws.matching.task import Recipe, Task, make_recipe
from schemas.vocabulary import CalibrationLevel, CalibrationRole

FOREVER = datetime.max.replace(tzinfo=UTC)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Moment:
    """The time at which a plan is made, and the next one at which time alone would change it."""

    now: datetime
    policy: MatchPolicy
    next_wakeup: datetime | None = field(default=None)

    def past(self, deadline: datetime) -> bool:
        """Whether a deadline is past. One that is not makes the plan come again then."""
        if deadline <= self.now:
            return True
        if deadline < FOREVER and (self.next_wakeup is None or deadline < self.next_wakeup):
            self.next_wakeup = deadline
        return False


@dataclass(frozen=True)
class Patience:
    """How long a task may be kept waiting.

    Attributes
    ----------
    hold_until
        Until when calibrations of the frame's own field are waited for.
    gate
        Until when a group may still grow.
    closed
        Whether nothing more is expected of the night, so that what was found is final.
    """

    hold_until: datetime = NEVER
    gate: datetime = NEVER
    closed: bool = False


def settle(task: Task, state: NightState, moment: Moment, patience: Patience) -> Task:
    """Settle a task whose members and decisions are known.

    Parameters
    ----------
    state
        Of the night of the task.

    Returns
    -------
    Task
        The same task, settled.
    """
    task.standing = state.standing.get(task.slot, "")
    task.moved_at = _moved_at(task)
    if not _complete(task):
        return task
    ideal = _ideal(task, moment.policy)
    task.aim(ideal)
    finished = state.finished.get(ideal.job_key)
    if finished is not None:
        _end(task, finished, patience)
        return task
    usable = _usable(task, moment.policy)
    if usable is not None and _succeeded(state, usable):
        task.now = Offer(usable.job_key, task.product)
    requested = state.requested.get(ideal.job_key)
    if requested is not None:
        task.moved_at = max(task.moved_at, requested)
        _start(task, patience)
        task.request = False
        return task
    waiting = [source for source in task.sources if source.progress is not Progress.DONE]
    held = _is_far(task) and not moment.past(patience.hold_until)
    growing = not moment.past(patience.gate)
    if not (waiting or held or growing):
        _start(task, patience)
        task.moved_at = max(task.moved_at, moment.now)
        return task
    on_hold = held or any(source.progress is Progress.HELD for source in waiting)
    task.progress = Progress.HELD if on_hold else Progress.COMING
    task.reason = _waiting_reason(task, waiting, patience, held=held, growing=growing)
    if usable is not None and usable.job_key != ideal.job_key:
        hold_until = max(patience.hold_until if held else NEVER, FOREVER if growing else NEVER)
        _stand_in(task, usable, state, moment, hold_until)
    return task


def _end(task: Task, finished: Finished, patience: Patience) -> None:
    task.active = task.ideal
    task.moved_at = max(task.moved_at or NEVER, finished.at)
    if finished.succeeded:
        task.progress, task.reason = Progress.DONE, "done"
        task.now = task.offer
        task.provisional = _is_provisional(task, patience)
    else:
        task.progress = Progress.FAILED
        task.reason = f"its reduction failed: {finished.error or 'the log of the reduction tells more'}"


def _start(task: Task, patience: Patience) -> None:
    task.active = task.ideal
    task.progress, task.reason = Progress.COMING, "in reduction"
    task.provisional = _is_provisional(task, patience)
    task.request = True


def _succeeded(state: NightState, recipe: Recipe) -> bool:
    finished = state.finished.get(recipe.job_key)
    return finished is not None and finished.succeeded


def _complete(task: Task) -> bool:
    """Whether everything mandatory can be had. What cannot is told in the task's reason."""
    for member in task.members:
        if member.ideal is None or member.progress is Progress.FAILED:
            task.progress = Progress.BLOCKED
            task.reason, task.culprit = member.reason, member.culprit or member
            return False
    for decision in task.decisions:
        if decision.mandatory and decision.chosen is None:
            task.progress = Progress.BLOCKED
            task.reason = decision.missing or "; ".join(
                f"{item.frame_id}: {item.reason}" for item in decision.refused[:3]
            )
            return False
    return True


def _ideal(task: Task, policy: MatchPolicy) -> Recipe:
    return make_recipe(
        task.kind,
        task.frames,
        tuple(member.offer for member in task.members),
        tuple((item.role, item.chosen.maker.offer) for item in task.decisions if item.chosen is not None),
        policy,
        best=True,
        parameters=task.parameters,
    )


def _task(candidate: Candidate) -> Task:
    assert isinstance(candidate.maker, Task), "in a chain, tasks make the calibrations"
    return candidate.maker


def _moved_at(task: Task) -> datetime:
    times = [item.seen_at for item in task.subjects]
    times += [source.moved_at for source in task.sources if source.moved_at is not None]
    return max(times, default=NEVER)


def _is_far(task: Task) -> bool:
    """Whether a mandatory calibration is not of the frame's own field."""
    # Asked of every frame at every plan, hence no property and no generator.
    for item in task.decisions:
        chosen = item.chosen
        if chosen is not None and chosen.level is not CalibrationLevel.SAME_FIELD and item.mandatory:
            return True
    return False


def _usable(task: Task, policy: MatchPolicy) -> Recipe | None:
    """Best version from what can be used now."""
    inputs: list[Offer] = []
    for member in task.members:
        offer = member.offer_now
        if offer is None:
            return None
        inputs.append(offer)
    calibrations: list[tuple[CalibrationRole, Offer]] = []
    for decision in task.decisions:
        offer = decision.ready.maker.offer_now if decision.ready is not None else None
        if offer is not None:
            calibrations.append((decision.role, offer))
        elif decision.mandatory:
            return None
    return make_recipe(
        task.kind, task.frames, tuple(inputs), tuple(calibrations), policy, False, task.parameters
    )


def _stand_in(task: Task, usable: Recipe, state: NightState, moment: Moment, hold_until: datetime) -> None:
    """Decide whether a lesser version fills the slot until the best one can be made."""
    if usable.job_key in state.finished:
        if task.now is None:
            return  # it failed
    elif usable.job_key not in state.requested:
        if task.standing or not moment.past(max(hold_until, _wait_for_best(task, moment.policy))):
            return
        task.request = True
    task.active = usable
    task.provisional = True


def _wait_for_best(task: Task, policy: MatchPolicy) -> datetime:
    """Until when the best version is waited for, though a lesser one could be made.

    What is in reduction is waited for as long as it moves. What is held back is not waited for, unless it
    is mandatory and nothing but another calibration could stand in for it.
    """
    pause = timedelta(seconds=policy.optional_wait)
    deadline = NEVER
    sources = [(member, True) for member in task.members]
    for decision in task.decisions:
        if decision.chosen is not None:
            same = not decision.mandatory or decision.ready is decision.chosen
            sources.append((_task(decision.chosen), same))
    for source, same in sources:
        if source.progress is Progress.DONE:
            continue
        if not same:
            return FOREVER
        if source.progress is Progress.COMING:
            deadline = max(deadline, _after(source, pause))
    return deadline


def _after(source: Task, pause: timedelta) -> datetime:
    return NEVER if source.moved_at is None else source.moved_at + pause


def _is_provisional(task: Task, patience: Patience) -> bool:
    return any(source.provisional for source in task.sources) or (not patience.closed and _is_far(task))


def _waiting_reason(task: Task, waiting: list[Task], patience: Patience, *, held: bool, growing: bool) -> str:
    if growing:
        return "waiting for more frames of its group"
    if not held:
        return "waiting for " + ", ".join(dict.fromkeys(describe_source(source) for source in waiting))
    far = [(item.role, item.chosen) for item in task.decisions if item.chosen is not None and item.far]
    roles = [describe_role(role) for role, _ in far]
    served = ", ".join(dict.fromkeys(f"{item.sources[0].frame.stem} ({item.level.label})" for _, item in far))
    return (
        f"waiting for {' and '.join(roles)} of its own field until {patience.hold_until:%H:%M:%S} UT, "
        f"then taking {served}"
    )


def describe_role(role: CalibrationRole) -> str:
    """A calibration, with its article."""
    return {
        CalibrationRole.BIAS: "a bias",
        CalibrationRole.DARK: "a dark",
        CalibrationRole.LFLAT: "a long-slit flat",
        CalibrationRole.TLM: "a tramline map",
        CalibrationRole.ARC: "an arc",
        CalibrationRole.FFLAT: "a fibre flat",
        CalibrationRole.THPUT: "a sky frame",
    }[role]


def describe_source(source: Task) -> str:
    """A product that is waited for, in words."""
    frames = source.frames or tuple(item for member in source.members for item in member.frames)
    stems = ", ".join(item.frame.stem for item in frames[:2]) + (", ..." if len(frames) > 2 else "")
    return f"the {source.product.meaning} of {stems}"


def closed_at(state: NightState, policy: MatchPolicy) -> datetime:
    """When nothing more is expected of a night: it is over, and no frame came for a while."""
    last = state.last_arrival or NEVER
    return max(policy.ends_at(state.night), last + timedelta(seconds=policy.match_wait))
