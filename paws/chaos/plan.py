"""Which nights a campaign has, in order: drawn from its seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from paws.chaos.faults import (
    CONTAINER,
    CONTAINERS,
    DAEMON,
    FAR,
    FAR_RUNNER,
    KILLS,
    PAUSES,
    REAL,
    SURROUNDINGS,
    Fault,
    draw_faults,
    usable,
)

EngineChoice = Literal["light", "builtin", "docker"]

KAFKA = "kafka"
"""Name of what is missing where there is no Apache Kafka."""


@dataclass(frozen=True)
class NightPlan:
    """A disturbed night.

    Attributes
    ----------
    name
        What is special about it.
    seconds
        Time over which the frames arrive and the disturbances begin.
    kafka
        Whether the broker is Apache Kafka; the embedded one otherwise.
    far_runner
        Whether a second runner works on a host of its own.
    small
        Whether few frames of one arm are observed: enough for every kind of reduction but splicing, which real
        engines take their time for.
    """

    number: int
    name: str
    engine: EngineChoice
    seconds: float
    faults: tuple[Fault, ...]
    kafka: bool = False
    far_runner: bool = False
    small: bool = False


ORDER = ("kills", "surroundings", "kafka", "kills", "pauses", "kills", "two hosts", "containers", "real")
"""Kinds of night, in the order in which a campaign goes round."""


def plan_nights(seed: int, refused: Mapping[str, str]) -> Iterator[NightPlan]:
    """Nights without end; as many are observed as there is time for.

    Parameters
    ----------
    refused
        What cannot be done here, with the reason: kinds of disturbance, targets, `KAFKA`.
    """
    number = 0
    while True:
        for name in ORDER:
            if _needs(name) in refused:
                continue
            number += 1
            yield plan_night(seed, number, name, refused)


def plan_night(seed: int, number: int, name: str, refused: Mapping[str, str]) -> NightPlan:
    """One night of a campaign, the same whatever nights are observed besides."""
    source = random.Random(f"{seed}/{number}/{name}")  # noqa: S311 - to be repeated, not to be secret
    kills = usable(KILLS, refused)
    far = False
    engine: EngineChoice = "light"
    if name == "surroundings":
        seconds = 90.0
        faults = draw_faults(source, seconds, each=usable(SURROUNDINGS, refused), drawn=kills, count=6)
    elif name == "pauses":
        seconds = 60.0
        faults = draw_faults(source, seconds, each=usable(PAUSES, refused), drawn=kills, count=8)
    elif name == "two hosts":
        seconds, far = 60.0, True
        faults = draw_faults(source, seconds, each=usable(FAR, refused), drawn=kills, count=8)
    elif name == "containers":
        seconds, engine = 60.0, "docker"
        each = [recipe for recipe in CONTAINERS if recipe.target in (CONTAINER, DAEMON)]
        faults = draw_faults(source, seconds, each=each, drawn=CONTAINERS, count=6)
    elif name == "real":
        seconds, engine = 90.0, "builtin"
        faults = draw_faults(source, seconds, each=usable(REAL, refused), drawn=kills, count=6)
    else:
        seconds = 80.0
        faults = draw_faults(source, seconds, drawn=kills, count=40 if name == "kills" else 20)
    return NightPlan(
        number,
        name,
        engine,
        seconds,
        faults,
        kafka=name == KAFKA,
        far_runner=far,
        small=engine == "builtin",
    )


def _needs(name: str) -> str:
    return {KAFKA: KAFKA, "two hosts": FAR_RUNNER, "containers": CONTAINER}.get(name, "")
