"""A campaign: disturbed nights, one after the other, each compared with an undisturbed one; and its table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from paws.chaos.night import Night, NightReport
from paws.chaos.plan import ORDER, EngineChoice, NightPlan, plan_nights
from paws.chaos.products import Product
from paws.chaos.telescope import SMALL, WHOLE, make_frames, warm_reducer
from paws.chaos.verdict import Line, tabulate
from paws.chaos.workplace import Workplace
from paws.tasks import on_stop_signals

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Goal:
    """How much is wanted; a campaign ends with the night in which all of it is reached.

    Attributes
    ----------
    minutes
        Least time; 0 for one round of nights.
    kills
        Least number of processes killed.
    only
        Kinds of night; all when empty.
    """

    minutes: float = 0.0
    kills: int = 0
    only: tuple[str, ...] = ()


@dataclass
class CampaignReport:
    """What a campaign did and found."""

    seed: int
    refused: Mapping[str, str]
    nights: list[NightReport] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """Processes killed."""
        return sum(night.kills for night in self.nights)

    @property
    def table(self) -> list[Line]:
        """A line for each kind of disturbance."""
        return tabulate((night.strikes, night.verdict) for night in self.nights)

    @property
    def good(self) -> bool:
        """Whether every night ended as if nothing had happened, and the feed tells all that did."""
        return all(night.verdict.good and not night.unseen for night in self.nights)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "seed": self.seed,
            "good": self.good,
            "kills": self.kills,
            "disturbances": sum(len(night.strikes) for night in self.nights),
            "lost": sum(night.verdict.losses for night in self.nights),
            "duplicated": sum(night.verdict.doubles for night in self.nights),
            "seconds": round(self.seconds, 1),
            "table": [line.as_dict() for line in self.table],
            "nights": [
                {
                    "number": night.plan.number,
                    "name": night.plan.name,
                    "engine": night.plan.engine,
                    "kafka": night.plan.kafka,
                    "products": len(night.products),
                    "disturbances": len(night.strikes),
                    "seconds": round(night.seconds, 1),
                    "unseen": night.unseen,
                    **asdict(night.verdict),
                }
                for night in self.nights
            ],
            "left_out": dict(self.refused),
        }


async def run_campaign(workplace: Workplace, seed: int, goal: Goal, tell: Tell) -> CampaignReport:
    """Observe disturbed nights until the goal is reached.

    Whatever ends it, what it started and mounted is taken away.

    Raises
    ------
    PawsError
        If a system cannot be started at all, or the frames cannot be simulated.
    """
    task = asyncio.current_task()
    assert task is not None
    began = time.monotonic()
    report = CampaignReport(seed, workplace.refused())
    for what, why in report.refused.items():
        tell(f"left out: {what}: {why}")
    with on_stop_signals(task.cancel):
        try:
            await _disturb_nights(workplace, report, goal, tell)
        finally:
            await workplace.close()
    report.seconds = time.monotonic() - began
    return report


async def _disturb_nights(workplace: Workplace, report: CampaignReport, goal: Goal, tell: Tell) -> None:
    references: dict[tuple[EngineChoice, bool], Sequence[Product]] = {}
    seed, begun = report.seed, time.monotonic()
    for plan in _wanted(seed, report.refused, goal):
        frames = workplace.folder / f"frames-{seed}{'-small' if plan.small else ''}"
        if not frames.exists():
            tell("simulating the night's frames")
            await make_frames(frames, seed, SMALL if plan.small else WHOLE)
        kind = plan.engine, plan.small
        if kind not in references:
            if plan.engine == "builtin":
                tell("compiling the built-in reducer")
                await warm_reducer()
            references[kind] = await _undisturbed(workplace, plan, frames, seed, tell)
        tell(f"night {plan.number} ({plan.name}, {plan.engine} engine): {len(plan.faults)} disturbances")
        night = await Night(plan, workplace, frames, seed, tell).run(references[kind])
        report.nights.append(night)
        _tell_night(night, tell)
        if _reached(report, goal, time.monotonic() - begun):
            return


async def _undisturbed(
    workplace: Workplace, of: NightPlan, frames: Path, seed: int, tell: Tell
) -> tuple[Product, ...]:
    tell(f"an undisturbed night with the {of.engine} engine")
    plan = NightPlan(-len(of.engine), "undisturbed", of.engine, 0.0, (), small=of.small)
    report = await Night(plan, workplace, frames, seed, tell).run(None)
    _tell_night(report, tell)
    return report.products


def _wanted(seed: int, refused: Mapping[str, str], goal: Goal) -> Any:
    # Without a goal in time or kills, each kind of night once.
    nights = (plan for plan in plan_nights(seed, refused) if not goal.only or plan.name in goal.only)
    if goal.minutes or goal.kills:
        yield from nights
    seen: set[str] = set()
    for plan in nights:
        if plan.name in seen or plan.number > 2 * len(ORDER):
            return
        seen.add(plan.name)
        yield plan


def _reached(report: CampaignReport, goal: Goal, elapsed: float) -> bool:
    if not goal.minutes and not goal.kills:
        return False
    return report.kills >= goal.kills and elapsed >= 60 * goal.minutes


def _tell_night(night: NightReport, tell: Tell) -> None:
    verdict = night.verdict
    tell(
        f"  {len(night.products)} products, {verdict.losses} lost, {verdict.doubles} doubled, "
        f"{len(verdict.left)} left over, {len(night.unseen)} unseen; {night.seconds:.0f} s"
    )
    for line in [*verdict.problems(), *(f"unseen: {item}" for item in night.unseen)]:
        tell(f"    {line}")
