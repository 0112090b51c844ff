"""What frames of the archive would be reduced with: read as much as the rules need, then let them choose."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

from paws.database import Pool
from paws.matching.choose import MatchDecision
from paws.matching.policy import MatchPolicy
from paws.matching.retrospect import Prospect, Retrospect, look_back
from paws.matching.state import NightState
from schemas.vocabulary import CalibrationRole, FrameClass
from web.archive.candidates import abroad, frame_index, of_the_night
from web.storage.matching import index_around, read_failures, read_frames

_OF_THE_DETECTOR: Final = (CalibrationRole.BIAS, CalibrationRole.DARK, CalibrationRole.LFLAT)
_WORDS: Final = {CalibrationRole.TLM: "fibre flat for a tramline map"}
_ROUNDS: Final = 6
"""A calibration of another night has calibrations of its own; there are no more kinds than that."""


async def retrospect(pool: Pool, night: str, wanted: Collection[str], policy: MatchPolicy) -> Retrospect:
    """Prospects of some frames of a night.

    Other nights are read only for classes of which the night itself has nothing near enough: the rules say which.
    """
    rows = await index_around(pool, night, policy.horizon)
    index = await asyncio.to_thread(frame_index, rows)
    states = {night: NightState(night)}
    await read_frames(pool, states, of_the_night(index, night, wanted), wanted, policy)
    await read_failures(pool, states, [night])
    read: frozenset[FrameClass] = frozenset()
    for _ in range(_ROUNDS):
        found = await asyncio.to_thread(look_back, states, night, policy)
        # Offset sky serves its own field only.
        more = found.looks_abroad - read - {FrameClass.MFSKY}
        if not more:
            break
        chosen = abroad(index, night, wanted, more)
        await read_frames(pool, states, chosen, (), policy)
        await read_failures(pool, states, states.keys() - {night})
        read |= more
        if not chosen:
            break
    return found


def document_of(prospect: Prospect) -> dict[str, Any]:
    """A prospect for people and programs, in the words of a recorded decision."""
    return {
        "frame_id": prospect.sighting.frame_id,
        "aside": prospect.aside,
        "roles": [role_document(item) for item in prospect.decisions],
        "level": max(
            (int(item.chosen.level) for item in prospect.decisions if item.mandatory and item.chosen),
            default=None,
        ),
        "lacks": [item.role.meaning for item in prospect.lacks],
    }


def role_document(decision: MatchDecision) -> dict[str, Any]:
    """A choice, or why there is none."""
    chosen = decision.chosen
    document: dict[str, Any] = {
        "role": decision.role.value,
        "mandatory": decision.mandatory,
        "level": None,
        "age_hours": None,
        "source_frame_ids": [],
        "reason": "",
        "refused": [{"frame_id": item.frame_id, "reason": item.reason} for item in decision.refused],
    }
    if chosen is None:
        document["reason"] = _missing(decision)
        return document
    names = ", ".join(item.frame.stem for item in chosen.sources[:3])
    if len(chosen.sources) > 3:
        names += f" and {len(chosen.sources) - 3} more"
    return document | {
        "level": int(chosen.level),
        "age_hours": round(chosen.age_days * 24, 3),
        "source_frame_ids": [item.frame_id for item in chosen.sources],
        "reason": f"{names}: {chosen.note}" if chosen.note else names,
    }


def _missing(decision: MatchDecision) -> str:
    if decision.refused:
        return "none that is near enough can serve"
    if decision.role is CalibrationRole.THPUT:
        return "there is no sky frame of this field"
    shared = "read-out" if decision.role in _OF_THE_DETECTOR else "set-up and plate"
    return f"there is no {_WORDS.get(decision.role, decision.role.meaning)} with this {shared}, of this run or nearer"
