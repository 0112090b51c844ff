"""Whether the status feed tells of a disturbance. Pure, on the feed's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from paws.chaos.faults import (
    CONTAINER,
    DAEMON,
    DATABASE,
    ENGINE,
    FAR_RUNNER,
    PRODUCTS,
    SYSTEM,
    WORK,
    FaultKind,
)
from paws.chaos.running import SystemUnderTest
from paws.chaos.strikes import Strike

SLACK = timedelta(seconds=1)
"""By how much the clocks of two processes on one machine may seem to differ."""

HUSHED = timedelta(seconds=20)
"""A supervisor that is killed this soon after a disturbance may not have told of it; its successor tells of it."""

_RETRIED = {
    ENGINE: ("engine_died", "engine_failed"),
    CONTAINER: ("engine_died", "engine_out_of_memory", "container_gone"),
    DAEMON: ("docker_away", "docker_refused", "container_gone", "engine_died"),
}


_DISKS = {WORK: "disk:work:", PRODUCTS: "disk:products:", DATABASE: "disk:database"}


@dataclass(frozen=True)
class Told:
    """A row of the status feed."""

    entity: str
    subject: str
    state: str
    at: datetime
    payload: dict[str, Any]


async def read_feed(system: SystemUnderTest) -> list[Told]:
    """Notices, and reductions that are tried again, oldest first.

    Raises
    ------
    AwayError
        If the database does not answer.
    """
    rows = await system.rows(
        """
        SELECT entity, entity_id, state, at, payload -> 'payload' AS payload FROM status_event
        WHERE entity = 'notice' OR (entity = 'reduction' AND state = 'retrying') ORDER BY seq
        """
    )
    return [
        Told(row["entity"], row["entity_id"], row["state"], row["at"], row["payload"] or {}) for row in rows
    ]


def is_visible(strike: Strike, feed: Sequence[Told]) -> bool:
    """Whether the feed tells of a disturbance that was carried out."""
    fault, pid = strike.fault, strike.pid
    after = [row for row in feed if row.at >= strike.at - SLACK]
    if any(
        row.subject == SYSTEM and row.state == "started again" and row.at <= strike.at + HUSHED
        for row in after
    ):
        return True
    if fault.target == SYSTEM:
        return any(row.subject == SYSTEM for row in after)
    if fault.kind is FaultKind.KILL and fault.target in _RETRIED:
        codes = _RETRIED[fault.target]
        # A runner whose engine dies before it is ready ends with it; one that is killed next is told of as killed.
        if fault.target == ENGINE and any(
            row.subject == "process:runner" and row.state == "ended" and row.at <= strike.at + HUSHED
            for row in after
        ):
            return True
        return any(row.entity == "reduction" and row.payload.get("error_code") in codes for row in after)
    if fault.target == FAR_RUNNER:
        return any(row.subject.startswith(f"runner:{strike.mark}-") for row in after)
    if fault.kind is FaultKind.KILL:
        # One that was just being stopped because the broker had died is told of as held back.
        held = _process(feed, fault.target, "held back", pid)
        return held or _process(after, fault.target, "ended", pid)
    if fault.kind is FaultKind.PAUSE:
        # One that is killed in its pause is told of as killed.
        return any(_process(after, fault.target, state, pid) for state in ("paused", "ended"))
    if fault.kind is FaultKind.DISK_FULL:
        subject = _DISKS[fault.target]
        return any(row.subject.startswith(subject) and row.state == "full" for row in after)
    if fault.kind is FaultKind.FOLDER_AWAY:
        states = {row.state for row in after if row.subject.startswith("raw_folder:")}
        return states >= {"away", "present"}
    if fault.kind is FaultKind.CLOCK_STEP:
        # Told with the wrong time itself, so by its subject alone.
        return any(row.subject == f"clock:{fault.target}" and row.state == "wrong" for row in feed)
    # A broker that loses its memory loses them before anybody has read them.
    return any(row.subject.startswith("repeats:") or row.subject == "broker:memory" for row in after)


def _process(feed: Sequence[Told], name: str, state: str, pid: int) -> bool:
    return any(
        row.subject == f"process:{name}" and row.state == state and row.payload.get("pid") == pid
        for row in feed
    )
