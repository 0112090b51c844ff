"""What planning a request needs to know, read from the database: the frames of its nights and of those near them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from paws.clock import night_date
from paws.database import Connection
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import JunkMark, Sighting
from paws.matching.state import Finished, NightState
from paws.requests.planning import horizon_nights
from paws.requests.wish import Wish
from schemas.frames import Frame
from schemas.vocabulary import ReductionState


@dataclass
class Known:
    """What is known around a request.

    Attributes
    ----------
    states
        Nights, for `paws.requests.planning.plan_request`.
    nights
        Of the frames that were asked for.
    gone
        Frames that were asked for and are not in the index any more.
    """

    states: dict[str, NightState] = field(default_factory=dict)
    nights: list[str] = field(default_factory=list)
    gone: tuple[str, ...] = ()


async def read_known(
    connection: Connection,
    frame_ids: Sequence[str],
    wish: Wish,
    site: MatchPolicy,
    *,
    until: datetime,
    retry_at: datetime | None = None,
    asked: Mapping[str, tuple[str, datetime]] | None = None,
) -> Known:
    """Read what planning a request needs.

    Parameters
    ----------
    until
        Frames that came later do not serve: the answer does not change while a night goes on.
    retry_at
        Failures before do not count any more.
    asked
        Night and time of reductions that were asked for a moment ago, by key: they are not asked for again.
    """
    policy = wish.policy(site)
    rows = await connection.fetch(
        "SELECT frame_id, night FROM frame WHERE frame_id = ANY($1::text[])", list(frame_ids)
    )
    nights = sorted({row["night"] for row in rows})
    found = {row["frame_id"] for row in rows}
    gone = tuple(frame_id for frame_id in frame_ids if frame_id not in found)
    if not nights:
        return Known(gone=gone)
    near = await _nights_near(connection, nights, policy)
    states = {night: NightState(night) for night in near}
    await _read_frames(connection, states, found, wish, policy, until)
    await _read_ends(connection, states, retry_at)
    for key, (night, at) in (asked or {}).items():
        state = states.get(night)
        if state is not None and key not in state.finished:
            state.requested.setdefault(key, at)
    for state in states.values():
        # What stands in the tree is not what was asked for.
        state.standing.clear()
    return Known(states, nights, gone)


async def _nights_near(connection: Connection, nights: Sequence[str], policy: MatchPolicy) -> list[str]:
    reach = timedelta(days=policy.horizon)
    first = (night_date(nights[0]) - reach).strftime("%Y%m%d")
    last = (night_date(nights[-1]) + reach).strftime("%Y%m%d")
    rows = await connection.fetch(
        "SELECT DISTINCT night FROM frame WHERE night BETWEEN $1 AND $2", first, last
    )
    return horizon_nights(nights, (row["night"] for row in rows), policy)


async def _read_frames(
    connection: Connection,
    states: Mapping[str, NightState],
    subjects: Collection[str],
    wish: Wish,
    policy: MatchPolicy,
    until: datetime,
) -> None:
    rows = await connection.fetch(
        "SELECT frame_id, night, document, junked, junk_reason, junked_by, junked_at FROM frame"
        " WHERE night = ANY($1::text[]) AND (frame_id = ANY($2::text[])"
        " OR (arrived_at <= $3 AND frame_class <> ALL($4::text[])))",
        list(states),
        list(subjects),
        until,
        [kind.value for kind in wish.left_out],
    )
    for row in rows:
        state = states[row["night"]]
        frame = Frame.model_validate(row["document"])
        state.fold_frame(Sighting(frame, policy.ends_at(frame.night), row["frame_id"] in subjects))
        if row["junked_at"] is not None:
            mark = JunkMark(row["junked"], row["junk_reason"] or "", row["junked_by"] or "", row["junked_at"])
            state.fold_junk(row["frame_id"], mark)


async def _read_ends(
    connection: Connection, states: Mapping[str, NightState], retry_at: datetime | None
) -> None:
    rows = await connection.fetch(
        "SELECT job_key, slot, night, state, error, requested_at, finished_at FROM reduction"
        " WHERE night = ANY($1::text[]) AND state <> 'cancelled'",
        list(states),
    )
    for row in rows:
        state = states[row["night"]]
        reached = ReductionState(row["state"])
        if not reached.is_final:
            state.requested[row["job_key"]] = row["requested_at"]
        elif not (reached is ReductionState.FAILED and _is_old(row, retry_at)):
            at = row["finished_at"] or row["requested_at"]
            state.fold_finished(
                row["job_key"], Finished(row["slot"], reached, at, (row["error"] or "")[:500])
            )


def _is_old(row: Any, retry_at: datetime | None) -> bool:
    return retry_at is not None and (row["finished_at"] or row["requested_at"]) <= retry_at
