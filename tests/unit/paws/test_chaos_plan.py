"""Plans of disturbed nights: drawn from a seed, and only of what can be done."""

from __future__ import annotations

import itertools
import random

import pytest

from paws.chaos.faults import FAR, KILLS, PAUSES, SURROUNDINGS, FaultKind, Recipe, draw_faults, usable
from paws.chaos.plan import ORDER, plan_night, plan_nights

NOTHING_REFUSED: dict[str, str] = {}


def first(count, seed, refused=NOTHING_REFUSED):
    return list(itertools.islice(plan_nights(seed, refused), count))


def test_a_seed_is_a_plan():
    assert first(12, 5) == first(12, 5)
    assert first(12, 5) != first(12, 6)


def test_a_night_does_not_depend_on_what_can_be_done_besides():
    """So that a night that went wrong can be observed again by itself."""
    night = next(plan for plan in first(12, 5) if plan.name == "kills")
    assert plan_night(5, night.number, "kills", {"kafka": "no jars"}) == night


def test_every_kind_of_disturbance_is_in_a_round():
    done = {fault.label for plan in first(len(ORDER), 1) for fault in plan.faults}
    assert done >= {f"{recipe.kind.value}: {recipe.target}" for recipe in (*PAUSES, *SURROUNDINGS, *FAR)}
    kills = {f"kill: {recipe.target}" for recipe in KILLS}
    assert done >= kills | {"kill: container", "kill: docker"}


def test_a_round_has_many_kills():
    kills = sum(fault.kind is FaultKind.KILL for plan in first(len(ORDER), 1) for fault in plan.faults)
    assert kills >= 150


@pytest.mark.parametrize(
    ("refused", "name"),
    [({"kafka": "x"}, "kafka"), ({"container": "x"}, "containers"), ({"far runner": "x"}, "two hosts")],
)
def test_nights_that_cannot_be_are_left_out(refused, name):
    plans = first(2 * len(ORDER), 1, refused)
    assert name not in {plan.name for plan in plans}
    assert [plan.number for plan in plans] == list(range(1, len(plans) + 1))


def test_disturbances_that_cannot_be_are_left_out():
    left = usable(SURROUNDINGS, {"disk full": "no root", "clock step": "no libfaketime"})
    assert {recipe.kind for recipe in left} == {FaultKind.FOLDER_AWAY, FaultKind.REPEATED}


def test_faults_begin_in_order_within_the_night_and_each_is_there():
    faults = draw_faults(random.Random(3), 60.0, each=PAUSES, drawn=KILLS, count=20)
    moments = [fault.at for fault in faults]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] <= 60
    assert [fault.number for fault in faults] == list(range(1, len(faults) + 1))
    pauses = [fault for fault in faults if fault.kind is FaultKind.PAUSE]
    assert sorted(fault.target for fault in pauses) == sorted(recipe.target for recipe in PAUSES)
    assert all(2 <= fault.lasts <= 14 for fault in pauses)


def test_clocks_are_stepped_by_minutes_at_least():
    recipe = Recipe(FaultKind.CLOCK_STEP, "runner", amount=(-3600.0, 3600.0))
    steps = [draw_faults(random.Random(seed), 1.0, each=[recipe])[0].amount for seed in range(200)]
    assert all(120 <= abs(step) <= 3720 for step in steps)
    assert min(steps) < 0 < max(steps)
