"""What the rules of matching need to know of nights: the narrow index, whole frames, and reductions that failed.

This is not for anybody's eyes: what is chosen from it is told through `web.access`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from paws.clock import night_date
from paws.database import Pool
from paws.matching.items import Item, fold
from paws.matching.policy import MatchPolicy
from paws.matching.retrospect import seen_afterwards
from paws.matching.sighting import JunkMark, ParameterMark, in_order
from paws.matching.state import Finished, NightState
from schemas.frames import Frame
from schemas.vocabulary import FrameClass, ReductionState
from web.archive.candidates import COLUMNS

_REPLACED = (
    "EXISTS (SELECT FROM frame r WHERE r.night = f.night AND r.run = f.run AND r.arm = f.arm AND NOT r.junked"
    " AND (r.completed_at, r.frame_id) > (f.completed_at, f.frame_id))"
)
_CALIBRATIONS = [one.value for one in FrameClass if not one.is_science]


async def index_around(pool: Pool, night: str, horizon: int) -> list[Any]:
    """The narrow index: all frames of a night, and calibrations of the nights around it."""
    first, last = (
        (night_date(night) + timedelta(days=days)).strftime("%Y%m%d") for days in (-horizon, horizon)
    )
    names = ", ".join(COLUMNS[:-1])
    return list(
        await pool.fetch(
            f"SELECT {names}, false AS replaced FROM frame WHERE night = $1"  # noqa: S608 - constant columns
            f" UNION ALL SELECT {names}, {_REPLACED} FROM frame f"
            " WHERE night BETWEEN $2 AND $3 AND night <> $1 AND frame_class = ANY($4::text[])",
            night,
            first,
            last,
            _CALIBRATIONS,
        )
    )


async def read_frames(
    pool: Pool,
    states: dict[str, NightState],
    frame_ids: Sequence[str],
    subjects: Iterable[str],
    policy: MatchPolicy,
) -> None:
    """Read frames whole, with what people said of them, into the states of their nights."""
    wanted = frozenset(subjects)
    rows = await pool.fetch(
        "SELECT f.frame_id, f.document, f.junked, f.junk_reason, f.junked_by, f.junked_at, p.parameters, p.reason, p.who, p.at"
        " FROM frame f LEFT JOIN frame_parameters p USING (frame_id) WHERE f.frame_id = ANY($1::text[])",
        list(frame_ids),
    )
    for row in rows:
        frame = Frame.model_validate(row["document"])
        state = states.setdefault(frame.night, NightState(frame.night))
        sighting = seen_afterwards(frame, policy, subject=frame.frame_id in wanted)
        fold(state, Item(frame.night, frame.frame_id, sighting))
        if row["junked_at"] is not None:
            mark = JunkMark(row["junked"], row["junk_reason"] or "", row["junked_by"] or "", row["junked_at"])
            fold(state, Item(frame.night, frame.frame_id, mark))
        if row["at"] is not None:
            # They are part of a reduction's key, by which its failure is known.
            own = ParameterMark(in_order(row["parameters"]), row["reason"], row["who"], row["at"])
            fold(state, Item(frame.night, frame.frame_id, own))


async def read_failures(pool: Pool, states: dict[str, NightState], nights: Iterable[str]) -> None:
    """Read which reductions failed into the states of their nights."""
    rows = await pool.fetch(
        "SELECT job_key, night, slot, error, coalesce(finished_at, requested_at) AS at FROM reduction"
        " WHERE night = ANY($1::text[]) AND state = 'failed'",
        sorted(nights),
    )
    for row in rows:
        state = states.setdefault(row["night"], NightState(row["night"]))
        ending = Finished(row["slot"], ReductionState.FAILED, row["at"], (row["error"] or "")[:500])
        fold(state, Item(row["night"], row["job_key"], ending))
