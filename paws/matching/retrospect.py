"""What frames would be reduced with, if nothing more came: the choices of the live night, asked afterwards. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from paws.matching.chain import Chain
from paws.matching.choose import MatchDecision
from paws.matching.night_index import NightIndex
from paws.matching.plan import judge_flats, principal_tasks
from paws.matching.policy import MatchPolicy
from paws.matching.settle import Moment
from paws.matching.sighting import Sighting
from paws.matching.state import NightState
from schemas.frames import Frame
from schemas.vocabulary import FrameClass

_PATIENT = 3600.0


@dataclass(frozen=True)
class Prospect:
    """What a frame would be reduced with.

    Attributes
    ----------
    decisions
        Choices by role; none for a frame that would not be reduced.
    aside
        Why it would not be reduced; empty if it would, as far as it can.
    """

    sighting: Sighting
    decisions: tuple[MatchDecision, ...] = ()
    aside: str = ""

    @property
    def lacks(self) -> tuple[MatchDecision, ...]:
        """Mandatory roles for which there is nothing."""
        return tuple(item for item in self.decisions if item.mandatory and item.chosen is None)


@dataclass(frozen=True)
class Retrospect:
    """Prospects of some frames of a night.

    Attributes
    ----------
    index
        The night's frames in their groups.
    looks_abroad
        Classes of which frames of other nights could change the choices.
    """

    prospects: Mapping[str, Prospect]
    index: NightIndex
    looks_abroad: frozenset[FrameClass]


def long_after(nights: Iterable[str], policy: MatchPolicy) -> datetime:
    """A time at which nothing more is waited for in any of the nights, of which there is at least one."""
    longest = timedelta(seconds=policy.match_wait + policy.optional_wait + policy.group_quiet)
    return max(map(policy.ends_at, nights)) + longest + timedelta(days=1)


def seen_afterwards(frame: Frame, policy: MatchPolicy, *, subject: bool) -> Sighting:
    """A frame as of the end of its night: when its file came does not matter."""
    return Sighting(frame, policy.ends_at(frame.night), subject)


def look_back(nights: Mapping[str, NightState], night: str, policy: MatchPolicy) -> Retrospect:
    """What the subjects of a night would be reduced with.

    Parameters
    ----------
    nights
        The night itself, and those near it whose calibrations may serve. Failed reductions count: what they would
        have made is passed over.
    """
    # Nobody waits for a quick look here: what could be made is taken for made.
    policy = replace(policy.of_night(night), optional_wait=_PATIENT)
    chain = Chain(nights, Moment(long_after(nights, policy), policy))
    index = nights[night].index
    flats, not_chosen = judge_flats(chain, index)
    tasks = dict(principal_tasks(chain, index, flats))
    prospects = {}
    for item in index.subjects:
        if item.frame_id in index.aside:
            prospects[item.frame_id] = Prospect(item, aside=index.aside[item.frame_id].reason)
        elif item.frame_id in not_chosen:
            prospects[item.frame_id] = Prospect(item, aside=not_chosen[item.frame_id])
        else:
            prospects[item.frame_id] = Prospect(item, tasks[item.frame_id].decisions)
    return Retrospect(prospects, index, frozenset(chain.looks_abroad))
