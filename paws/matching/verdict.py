"""What becomes of a frame, in a form that can be compared with what was written before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from paws.matching.choose import MatchDecision, Progress
from paws.matching.night_index import Aside
from paws.matching.task import Task, choices_of
from schemas.vocabulary import CalibrationLevel, FrameState

PLANNED = "planned"
WAITING = FrameState.WAITING.value
FAILED = FrameState.FAILED.value
SET_ASIDE = FrameState.SET_ASIDE.value


@dataclass(frozen=True)
class FrameDecision:
    """What the planner decided about a frame.

    Attributes
    ----------
    state
        ``waiting``, ``planned``, ``set_aside``, ``failed`` or ``junked``.
    job_key
        Of the frame's principal reduction.
    level
        Worst level among the mandatory calibrations.
    refusals
        Role, frame and reason of what was passed over.
    """

    state: str
    reason: str
    job_key: str | None = None
    level: CalibrationLevel | None = None
    provisional: bool = False
    notes: tuple[str, ...] = ()
    refusals: tuple[tuple[str, str, str], ...] = ()
    task: Task | None = field(default=None, compare=False, repr=False)

    def document(self) -> dict[str, Any]:
        """The decision for people and programs: choices with level, age, reason and what was refused."""
        choices = choices_of(self.task) if self.task is not None else ()
        taken = {choice.role.value for choice in choices}
        return {
            "choices": [choice.model_dump(mode="json") for choice in choices],
            "refused": [
                {"role": role, "frame_id": frame_id, "reason": reason}
                for role, frame_id, reason in self.refusals
                if role not in taken
            ],
            "notes": list(self.notes),
        }


def aside(item: Aside) -> FrameDecision:
    """Decision about a frame that takes no part."""
    return FrameDecision(item.state.value, item.reason)


def not_chosen(reason: str) -> FrameDecision:
    """Decision about a fibre flat when there is a better one."""
    return FrameDecision(SET_ASIDE, reason)


def judge(task: Task, notes: Iterable[str], *, closed: bool) -> FrameDecision:
    """Decision about a frame from its principal task.

    Parameters
    ----------
    closed
        Whether a task that lacks something can hope no more.
    """
    state, reason, provisional = _state_of(task, closed)
    key = task.slot_key or (task.ideal.job_key if task.ideal else None)
    return FrameDecision(
        state,
        reason,
        key,
        _worst_level(task),
        provisional,
        tuple(notes),
        tuple(
            (decision.role.value, item.frame_id, item.reason)
            for decision in task.decisions
            for item in decision.refused
        ),
        task,
    )


def _state_of(task: Task, closed: bool) -> tuple[str, str, bool]:
    if task.progress is Progress.FAILED:
        return FAILED, task.reason, False
    if task.progress is Progress.BLOCKED:
        if closed:
            return FAILED, f"{task.reason}; the night is over", False
        return WAITING, task.reason, False
    if task.active is not None:
        return PLANNED, _how(task), task.provisional
    if task.standing:
        return PLANNED, f"an earlier product stands; {task.reason}", True
    return WAITING, task.reason, False


def _how(task: Task) -> str:
    if task.active is not None and not task.active.best:
        return f"provisional, {task.reason}"
    chosen = [item for item in task.decisions if item.mandatory and item.chosen is not None]
    if not chosen:
        return "reduced by itself"
    worst = max(chosen, key=_level)
    assert worst.chosen is not None, "filtered above"
    text = f"calibrations of the {worst.chosen.level.meaning}"
    if worst.chosen.level > CalibrationLevel.SAME_FIELD:
        text = f"{worst.role.meaning} from {worst.chosen.sources[0].frame.stem}: {worst.chosen.level.meaning}"
    return f"{text}; provisional" if task.provisional else text


def _level(decision: MatchDecision) -> CalibrationLevel:
    return decision.chosen.level if decision.chosen else CalibrationLevel.SAME_FIELD


def _worst_level(task: Task) -> CalibrationLevel | None:
    recipe = task.active or task.ideal
    if recipe is task.ideal and recipe is not None:
        # It takes what was chosen.
        chosen = [item.chosen.level for item in task.decisions if item.chosen is not None and item.mandatory]
        return max(chosen, default=None)
    levels = []
    taken = dict(recipe.calibrations) if recipe else {}
    for decision in task.decisions:
        if not decision.mandatory or decision.role not in taken or decision.chosen is None:
            continue
        candidate = decision.chosen
        if candidate.maker.offer != taken[decision.role] and decision.ready is not None:
            candidate = decision.ready
        levels.append(candidate.level)
    return max(levels, default=None)
