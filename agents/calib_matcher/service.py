"""The matcher's memory over nights: takes events in, knows which nights to plan, and plans them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from paws.clock import nights_apart
from paws.matching.items import Item, current, fold
from paws.matching.plan import Plan, plan
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import Sighting
from paws.matching.state import Finished, NightState, junk_mark, parameter_mark
from schemas.events import AnyEvent, FrameArrived, FrameJunked, FrameParametersSet, ReductionFinished
from schemas.layout import is_own
from schemas.vocabulary import FrameClass, ProductKind

_CLASS_OF_PRODUCT = {
    ProductKind.BIAS.value: FrameClass.BIAS,
    ProductKind.DARK.value: FrameClass.DARK,
    ProductKind.LFLAT.value: FrameClass.LFLAT,
    ProductKind.COMBINED_BIAS.value: FrameClass.BIAS,
    ProductKind.COMBINED_DARK.value: FrameClass.DARK,
    ProductKind.COMBINED_LFLAT.value: FrameClass.LFLAT,
    ProductKind.TLM.value: FrameClass.MFFFF,
    ProductKind.FFLAT.value: FrameClass.MFFFF,
    ProductKind.ARC.value: FrameClass.MFARC,
}
_SESSIONS = frozenset({FrameClass.BIAS, FrameClass.DARK, FrameClass.LFLAT})


@dataclass
class Matcher:
    """What the matcher knows and has to do.

    Attributes
    ----------
    nights
        States, by night.
    dirty
        Nights that must be planned again.
    planned
        What is left to know of the newest plan of each night: when it changes, and what else changes it.
    """

    policy: MatchPolicy
    nights: dict[str, NightState] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    planned: dict[str, Plan] = field(default_factory=dict)

    def state(self, night: str) -> NightState:
        """State of a night, made when it is first spoken of."""
        return self.nights.setdefault(night, NightState(night))

    def take(self, event: AnyEvent, now: datetime) -> Item | None:
        """Take an event in.

        Returns
        -------
        Item or None
            What is known now and must be kept; None if the event told nothing new.
        """
        item = item_of(event, now)
        if item is None:
            return None
        state = self.state(item.night)
        if not fold(state, item):
            return None
        self.dirty.add(item.night)
        self.dirty.update(self._touched_abroad(item))
        return current(state, item)

    def restore(self, items: Iterable[Item]) -> None:
        """Take in what was kept. Whoever restores says which nights to plan again."""
        for item in items:
            fold(self.state(item.night), item)

    def due(self, now: datetime) -> list[str]:
        """Nights to plan now, newest first."""
        woken = {
            night
            for night, made in self.planned.items()
            if made.next_wakeup is not None and made.next_wakeup <= now
        }
        return sorted(self.dirty | woken, reverse=True)

    def plan(self, night: str, now: datetime) -> Plan:
        """Plan a night. The plan counts once it is written: see `written`."""
        self.dirty.discard(night)
        near = {
            other: state
            for other, state in self.nights.items()
            if other == night or abs(nights_apart(night, other)) <= self.policy.horizon
        }
        return plan(near, night, now, self.policy.of_night(night))

    def written(self, made: Plan, now: datetime) -> None:
        """Remember that a plan was written, and with it what was asked for."""
        self.planned[made.night] = replace(made, wanted={}, slots={}, ready=(), frames={})
        for reduction in made.ready:
            self.state(reduction.night).requested.setdefault(reduction.job_key, now)
        # What is no longer wanted may have been cancelled; if it is wanted again, it is asked for again.
        wanted = set(made.slots.values())
        requested = self.state(made.night).requested
        for key in [key for key in requested if key not in wanted]:
            del requested[key]

    def postpone(self, night: str) -> None:
        """Leave a night that cannot be planned until something new is known of it."""
        self.dirty.discard(night)
        self.planned.pop(night, None)

    def forget(self, before: str) -> None:
        """Drop nights too old to matter; the database still knows them."""
        for night in [night for night in self.nights if night < before and night not in self.dirty]:
            del self.nights[night]
            self.planned.pop(night, None)

    def _touched_abroad(self, item: Item) -> Iterable[str]:
        """Other nights whose plan looked for what has just come."""
        kind = self._class_of(item)
        if kind is None:
            return
        for night, made in self.planned.items():
            if night == item.night or kind not in made.looks_abroad:
                continue
            if kind in _SESSIONS and item.night > night:
                continue
            if abs(nights_apart(night, item.night)) <= self.policy.horizon:
                yield night

    def _class_of(self, item: Item) -> FrameClass | None:
        match item.value:
            case Sighting():
                return item.value.frame.frame_class
            case Finished():
                parts = item.value.slot.split("/")
                return next((_CLASS_OF_PRODUCT[part] for part in parts if part in _CLASS_OF_PRODUCT), None)
            case _:
                known = self.state(item.night).frames.get(item.name)
                return known.frame.frame_class if known else None


def item_of(event: AnyEvent, now: datetime) -> Item | None:
    """What an event tells of a night; None for events of no use to the matcher."""
    match event:
        case FrameArrived():
            return Item(event.frame.night, event.frame.frame_id, Sighting(event.frame, now))
        case FrameJunked():
            return Item(event.night, event.frame_id, junk_mark(event))
        case FrameParametersSet():
            return Item(event.night, event.frame_id, parameter_mark(event))
        case ReductionFinished() if is_own(event.slot):
            # Beside the plan. Should the plan want it, the intake finds it made, and tells of it in its own slot.
            return None
        case ReductionFinished():
            return Item(event.night, event.job_key, Finished.of(event))
        case _:
            return None
