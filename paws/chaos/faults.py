"""What is done to a night, and when: a plan drawn from a seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """Kinds of disturbance."""

    KILL = "kill"
    PAUSE = "pause"
    DISK_FULL = "disk full"
    FOLDER_AWAY = "folder away"
    CLOCK_STEP = "clock step"
    REPEATED = "repeated"
    NETWORK_CUT = "network cut"


OWN = ("worker", "runner", "ingest", "web")
"""Processes of ours. The relay lives in the worker and dies with it."""

SERVICES = ("broker", "postgres")
WORK, PRODUCTS, DATABASE = "work folder", "products", "database"
"""Whose disks may be full."""

ENGINE, SYSTEM = "engine", "system"
CONTAINER, DAEMON = "container", "docker"
FAR_RUNNER = "far runner"


@dataclass(frozen=True)
class Fault:
    """A disturbance.

    Attributes
    ----------
    at
        Seconds after the telescope began to observe.
    target
        What it happens to.
    lasts
        Seconds until it is taken away; 0 for what happens in a moment.
    amount
        Seconds by which a clock is stepped, or number of events that come again.
    round
        Faults of one round begin at their moments after all of the rounds before have recovered. So no machine is
        too slow for a timetable. Those that are drawn are all of one round.
    """

    number: int
    at: float
    kind: FaultKind
    target: str
    lasts: float = 0.0
    amount: float = 0.0
    round: int = 0

    @property
    def label(self) -> str:
        """What the table calls it."""
        return f"{self.kind.value}: {self.target}"


@dataclass(frozen=True)
class Recipe:
    """A kind of disturbance with how often it is drawn and how long it may last.

    Attributes
    ----------
    lasts, amount
        Least and greatest value.
    """

    kind: FaultKind
    target: str
    weight: float = 1.0
    lasts: tuple[float, float] = (0.0, 0.0)
    amount: tuple[float, float] = (0.0, 0.0)


KILLS: tuple[Recipe, ...] = (
    Recipe(FaultKind.KILL, "worker", 3),
    Recipe(FaultKind.KILL, "runner", 4),
    Recipe(FaultKind.KILL, "ingest", 2),
    Recipe(FaultKind.KILL, "web", 1),
    Recipe(FaultKind.KILL, ENGINE, 3),
    Recipe(FaultKind.KILL, "broker", 1),
    Recipe(FaultKind.KILL, "postgres", 1.5),
    Recipe(FaultKind.KILL, SYSTEM, 0.5),
)
"""Kills at random moments. The runner and its engine most, since they have most to lose."""

PAUSES: tuple[Recipe, ...] = tuple(
    Recipe(FaultKind.PAUSE, target, lasts=(2.0, 14.0)) for target in (*OWN, *SERVICES)
)

SURROUNDINGS: tuple[Recipe, ...] = (
    *(Recipe(FaultKind.DISK_FULL, target, lasts=(6.0, 15.0)) for target in (WORK, PRODUCTS, DATABASE)),
    # Longer than the pause between two sweeps, or nobody needs to notice.
    Recipe(FaultKind.FOLDER_AWAY, "raw folder", lasts=(12.0, 18.0)),
    Recipe(FaultKind.CLOCK_STEP, "worker", lasts=(8.0, 12.0), amount=(-3600.0, 3600.0)),
    Recipe(FaultKind.CLOCK_STEP, "runner", lasts=(8.0, 12.0), amount=(-3600.0, 3600.0)),
    Recipe(FaultKind.CLOCK_STEP, "ingest", lasts=(8.0, 12.0), amount=(-3600.0, 3600.0)),
    Recipe(FaultKind.REPEATED, "events", amount=(20.0, 80.0)),
)

FAR: tuple[Recipe, ...] = (
    Recipe(FaultKind.NETWORK_CUT, FAR_RUNNER, lasts=(13.0, 18.0)),
    Recipe(FaultKind.KILL, FAR_RUNNER),
)
"""What happens to a runner on another host."""

CONTAINERS: tuple[Recipe, ...] = (
    Recipe(FaultKind.KILL, CONTAINER, 3),
    Recipe(FaultKind.KILL, DAEMON, 1, lasts=(1.0, 4.0)),
    Recipe(FaultKind.KILL, "runner", 2),
)


REAL: tuple[Recipe, ...] = tuple(
    Recipe(FaultKind.KILL, target) for target in ("runner", ENGINE, "worker", "postgres")
)
"""What happens at least once while real reductions run."""


def draw_faults(
    source: random.Random,
    seconds: float,
    *,
    each: Sequence[Recipe] = (),
    drawn: Sequence[Recipe] = (),
    count: int = 0,
) -> tuple[Fault, ...]:
    """Draw a night's disturbances.

    Parameters
    ----------
    seconds
        Length of the time in which they begin.
    each
        Recipes that are used exactly once.
    drawn
        Recipes to choose from by their weights, `count` times.

    Returns
    -------
    tuple of Fault
        In the order in which they begin.
    """
    chosen = [*each]
    if count:
        chosen += source.choices(drawn, [recipe.weight for recipe in drawn], k=count)
    moments = sorted(source.uniform(0.5, seconds) for _ in chosen)
    source.shuffle(chosen)
    return tuple(
        Fault(
            number=number,
            at=round(at, 2),
            kind=recipe.kind,
            target=recipe.target,
            lasts=round(source.uniform(*recipe.lasts), 2),
            amount=_amount(source, recipe),
        )
        for number, (at, recipe) in enumerate(zip(moments, chosen, strict=True), start=1)
    )


def usable(recipes: Sequence[Recipe], refused: Mapping[str, str]) -> tuple[Recipe, ...]:
    """Recipes but those of a kind or a target that cannot be done here."""
    return tuple(
        recipe for recipe in recipes if recipe.kind.value not in refused and recipe.target not in refused
    )


def _amount(source: random.Random, recipe: Recipe) -> float:
    amount = source.uniform(*recipe.amount)
    if recipe.kind is FaultKind.CLOCK_STEP:
        # Small steps hide in the system's tolerances; those that matter are minutes.
        amount = amount + 120.0 if amount >= 0 else amount - 120.0
    return round(amount)
