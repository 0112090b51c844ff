"""Asking again: for what failed, or for everything, of a frame or of a night. For commands and pages alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from paws.database import Connection
from paws.errors import InvalidInputError
from paws.outbox import announce
from schemas.events import ReductionRequested
from schemas.reductions import Reduction, input_keys
from schemas.vocabulary import Priority, ReductionKind, ReductionState

_NIGHT = re.compile(r"\d{8}")


@dataclass(frozen=True)
class Asked:
    """A reduction that was asked for again."""

    job_key: str
    slot: str
    kind: ReductionKind
    state: ReductionState
    reason: str


@dataclass(frozen=True)
class WantedReduction:
    """A reduction that the planner wants, and how far it is."""

    reduction: Reduction
    state: ReductionState


def choose(
    wanted: Mapping[str, WantedReduction], chosen: Iterable[str], *, force: bool, kind: ReductionKind | None
) -> list[Asked]:
    """What to ask for again. Pure.

    Parameters
    ----------
    wanted
        All wanted reductions of the nights concerned, by key.
    chosen
        Keys that the person means.
    force
        Also what succeeded; else only what failed.
    kind
        Only this kind, of what the person means.

    Returns
    -------
    list of Asked
        Inputs before what reads them. What depends on a repeated reduction is repeated too.
    """
    start = {
        key
        for key in chosen
        if key in wanted
        and (kind is None or wanted[key].reduction.kind is kind)
        and (wanted[key].state is ReductionState.FAILED or force)
    }
    readers: dict[str, set[str]] = defaultdict(set)
    for key, item in wanted.items():
        for product in input_keys(item.reduction):
            readers[product.job_key].add(key)
    reached, border = set(start), list(start)
    while border:
        for reader in readers[border.pop()] - reached:
            reached.add(reader)
            border.append(reader)
    depth: dict[str, int] = {}

    def depth_of(key: str) -> int:
        if key not in depth:
            depth[key] = 0  # keys are hashes of what they read, so there is no circle to fear
            before = [product.job_key for product in input_keys(wanted[key].reduction)]
            depth[key] = 1 + max((depth_of(item) for item in before if item in reached), default=0)
        return depth[key]

    ordered = sorted(reached, key=lambda key: (depth_of(key), wanted[key].reduction.slot))
    return [
        Asked(
            key,
            wanted[key].reduction.slot,
            wanted[key].reduction.kind,
            wanted[key].state,
            "asked for" if key in start else "reads what is repeated",
        )
        for key in ordered
    ]


async def reprocess(
    connection: Connection,
    target: str | None,
    *,
    night: str | None,
    force: bool,
    kind: ReductionKind | None,
    at: datetime,
) -> list[Asked]:
    """Ask for reductions again, through the outbox.

    Parameters
    ----------
    target
        Frame (identifier or name) or night (``YYYYMMDD``); None with `night` given.

    Raises
    ------
    InvalidInputError
        If the target is no known frame or night, or names several frames.
    """
    async with connection.transaction():
        nights, chosen = await _chosen(connection, target, night)
        wanted = await wanted_reductions(connection, nights)
        asked = choose(wanted, wanted if chosen is None else chosen, force=force, kind=kind)
        await announce(connection, [request_again(wanted[item.job_key].reduction, at) for item in asked])
    return asked


def request_again(reduction: Reduction, at: datetime) -> ReductionRequested:
    """A person's request for a reduction that is known."""
    return ReductionRequested(
        event_id=reduction.job_key,
        night=reduction.night,
        at=at,
        reduction=reduction.model_copy(update={"priority": Priority.REDO}),
        force=True,
    )


async def _chosen(
    connection: Connection, target: str | None, night: str | None
) -> tuple[list[str], set[str] | None]:
    """Nights concerned, and the keys meant; None means all."""
    if target is None or _NIGHT.fullmatch(target):
        only = target or night
        if only is None or (target and night and target != night):
            raise InvalidInputError("Name a frame or one night, such as `paws reprocess 20260312`.")
        if not _NIGHT.fullmatch(only):
            raise InvalidInputError(f"{only!r} is no night. Nights look like 20260312.")
        if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM frame WHERE night = $1)", only):
            raise InvalidInputError(f"There is no frame of night {only}.")
        return [only], None
    name = target if target.endswith(".fits") else f"{target}.fits"
    rows = await connection.fetch(
        "SELECT frame_id, night FROM frame WHERE (frame_id = $1 OR name = $2) AND ($3::text IS NULL OR night = $3)",
        target,
        name,
        night,
    )
    if not rows:
        raise InvalidInputError(f"There is no frame {target!r}{f' in night {night}' if night else ''}.")
    if len(rows) > 1:
        found = ", ".join(sorted(row["frame_id"] for row in rows))
        raise InvalidInputError(f"{target!r} may be any of {found}. Give one of these, or --night.")
    return [rows[0]["night"]], await keys_of_frames(connection, [rows[0]["frame_id"]])


async def keys_of_frames(connection: Connection, frame_ids: Sequence[str]) -> set[str]:
    """Keys of all reductions that some frames went into."""
    rows = await connection.fetch(
        "SELECT DISTINCT job_key FROM reduction_frame WHERE frame_id = ANY($1::text[])", list(frame_ids)
    )
    return {row["job_key"] for row in rows}


async def wanted_reductions(connection: Connection, nights: list[str]) -> dict[str, WantedReduction]:
    """Reductions that the planner wants in some nights, by key."""
    rows = await connection.fetch(
        """
        SELECT r.document, r.state FROM reduction r JOIN slot s ON s.slot = r.slot AND s.job_key = r.job_key
        WHERE r.night = ANY($1::text[])
        """,
        nights,
    )
    found = [
        WantedReduction(Reduction.model_validate(row["document"]), ReductionState(row["state"]))
        for row in rows
    ]
    return {item.reduction.job_key: item for item in found}
