"""A task: one slot, the best reduction that could fill it, and the one that fills it now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from paws.matching.choose import MatchDecision, Offer, Progress
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import Parameters, Sighting
from schemas.parameters import BY_NAME
from schemas.reductions import (
    CalibrationChoice,
    FrameInput,
    Layout,
    ProductInput,
    Reduction,
    RefusedCandidate,
    job_key,
)
from schemas.vocabulary import CalibrationRole, Priority, ProductKind, ReductionKind


@dataclass(frozen=True, slots=True)
class Recipe:
    """One version of a reduction: what goes in, and the key that follows from it.

    Attributes
    ----------
    best
        Whether nothing better is known.
    calibrations
        For each role, the decision and the product taken.
    """

    job_key: str
    inputs: tuple[Offer, ...]
    calibrations: tuple[tuple[CalibrationRole, Offer], ...]
    best: bool


@dataclass(slots=True)
class Task:
    """What fills a slot. `Chain` settles it.

    Attributes
    ----------
    frames
        Raw frames that are read.
    members
        Tasks whose products are combined or spliced, in order.
    decisions
        Calibrations, by role.
    parameters
        Those that somebody set for its frame, beside the policy's.
    progress, reason
        How far the best version is, and why no further.
    ideal
        The best version; None when something is missing.
    active
        The version that fills the slot now or is on its way into it; None while the task waits.
    standing
        Key of an older product that stands until a better one is made.
    request
        Whether `active` is to be asked for now.
    moved_at
        When something last moved, in this task or in those it needs.
    now
        Product that can be used now.
    sources
        Tasks whose products it needs.
    culprit
        Member that stands in the way.
    """

    slot: str
    kind: ReductionKind
    product: ProductKind
    night: str
    layout: Callable[[], Layout]
    subjects: tuple[Sighting, ...]
    frames: tuple[Sighting, ...] = ()
    members: tuple[Task, ...] = ()
    decisions: tuple[MatchDecision, ...] = ()
    parameters: Parameters = ()
    progress: Progress = Progress.BLOCKED
    reason: str = ""
    ideal: Recipe | None = None
    active: Recipe | None = None
    standing: str = ""
    provisional: bool = False
    request: bool = False
    moved_at: datetime | None = None
    culprit: Task | None = None
    now: Offer | None = None
    sources: tuple[Task, ...] = field(init=False, repr=False)
    _offer: Offer | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        # Asked for again and again while a night is planned, so it is put together once.
        makers = [item.chosen.maker for item in self.decisions if item.chosen is not None]
        self.sources = (*self.members, *(maker for maker in makers if isinstance(maker, Task)))

    def aim(self, ideal: Recipe) -> None:
        """Set the best version."""
        self.ideal = ideal
        self._offer = Offer(ideal.job_key, self.product)

    @property
    def offer(self) -> Offer:
        """Product of the best version."""
        assert self._offer is not None, f"{self.slot} is blocked"
        return self._offer

    @property
    def offer_now(self) -> Offer | None:
        """Product that can be used now."""
        return self.now

    @property
    def slot_key(self) -> str | None:
        """Key of the reduction that the slot wants now: none while nothing was asked for, or can be.

        What was made before something went missing (a flat was junked, say) does not stand.
        """
        if self.active is not None:
            return self.active.job_key
        return self.standing or None if self.progress is not Progress.BLOCKED else None


def make_recipe(
    kind: ReductionKind,
    frames: tuple[Sighting, ...],
    inputs: tuple[Offer, ...],
    calibrations: tuple[tuple[CalibrationRole, Offer], ...],
    policy: MatchPolicy,
    best: bool,
    parameters: Parameters = (),
) -> Recipe:
    """Recipe with its key."""
    checksums = tuple(item.frame.checksum for item in frames)
    key = _key(
        kind,
        checksums,
        inputs,
        calibrations,
        merged(policy.parameters_of(kind), parameters),
        policy.engine,
        policy.engine_version,
    )
    return Recipe(key, inputs, calibrations, best)


def concerning(parameters: Parameters, kind: ReductionKind) -> Parameters:
    """Of a frame's own parameters those that change a kind of reduction: others keep their keys."""
    return tuple(item for item in parameters if item[0] not in BY_NAME or kind in BY_NAME[item[0]].concerns)


def merged(general: Parameters, own: Parameters) -> Parameters:
    """Parameters of a reduction: a frame's own stand before those of every reduction."""
    if not own:
        return general
    names = {name for name, _value in own}
    return tuple(sorted([*own, *(item for item in general if item[0].upper() not in names)]))


@lru_cache(maxsize=32768)
def _key(
    kind: ReductionKind,
    checksums: tuple[str, ...],
    inputs: tuple[Offer, ...],
    calibrations: tuple[tuple[CalibrationRole, Offer], ...],
    parameters: tuple[tuple[str, str | int | float | bool], ...],
    engine: str,
    version: str,
) -> str:
    return job_key(
        kind,
        checksums,
        tuple(ProductInput(job_key=offer.job_key, kind=offer.kind) for offer in inputs),
        tuple((role, ProductInput(job_key=offer.job_key, kind=offer.kind)) for role, offer in calibrations),
        dict(parameters),
        engine,
        version,
    )


def choices_of(task: Task) -> tuple[CalibrationChoice, ...]:
    """Calibrations of a task's present version, with levels, ages and what was passed over."""
    recipe = task.active or task.ideal
    taken = dict(recipe.calibrations) if recipe else {}
    found = []
    for decision in task.decisions:
        offer = taken.get(decision.role)
        if offer is None:
            continue
        chosen = decision.chosen
        candidate = chosen if chosen and chosen.maker.offer == offer else decision.ready
        if candidate is None:
            continue
        names = ", ".join(item.frame.stem for item in candidate.sources[:3])
        if len(candidate.sources) > 3:
            names += f" and {len(candidate.sources) - 3} more"
        found.append(
            CalibrationChoice(
                role=decision.role,
                product=ProductInput(job_key=offer.job_key, kind=offer.kind),
                source_frame_ids=tuple(item.frame_id for item in candidate.sources),
                level=candidate.level,
                age_hours=round(candidate.age_days * 24, 3),
                reason=f"{names}: {candidate.note}" if candidate.note else names,
                refused=tuple(
                    RefusedCandidate(frame_id=item.frame_id, reason=item.reason) for item in decision.refused
                ),
            )
        )
    return tuple(found)


def to_reduction(task: Task, policy: MatchPolicy, priority: Priority, reason: str) -> Reduction:
    """The reduction that a task asks for now."""
    recipe = task.active
    assert recipe is not None, f"{task.slot} has nothing to ask for"
    layout = task.layout()
    return Reduction(
        job_key=recipe.job_key,
        slot=task.slot,
        kind=task.kind,
        night=task.night,
        arm=layout.arm,
        frames=tuple(
            FrameInput(
                frame_id=item.frame.frame_id,
                name=item.frame.name,
                path=item.frame.path,
                checksum=item.frame.checksum,
            )
            for item in task.frames
        ),
        inputs=tuple(ProductInput(job_key=offer.job_key, kind=offer.kind) for offer in recipe.inputs),
        calibrations=choices_of(task),
        parameters=dict(merged(policy.parameters_of(task.kind), task.parameters)),
        engine=policy.engine,
        engine_version=policy.engine_version,
        priority=priority,
        provisional=task.provisional,
        products=(task.product,),
        layout=layout,
        subject_frame_ids=tuple(item.frame_id for item in task.subjects),
        reason=reason,
    )
