"""Requests, as the pages and the JSON interface show them. Everything is read for somebody's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from paws.access.predicate import condition, seen, seen_request, values_of
from paws.access.rule import Sight, proposal_key
from paws.database import Pool
from paws.requests.orders import MOST_FRAMES_BY_QUERY
from web.access import told_rows
from web.requests.questions import RequestQuestion, Select
from web.storage.filters import Where, like

Row = dict[str, Any]

COLUMNS: Final = (
    "request_id, who, title, night, engine, engine_version, parameters, parameters_version, options, state, reason,"
    " frames, parts, parts_done, parts_failed, parts_reused, submitted_at, planned_at, started_at, finished_at,"
    " cancel_at, cancelled_by, retries, cloned_from"
)
PARTS: Final = 300
"""Reductions that a page shows; the interface for programs tells more."""
FRESH: Final = timedelta(seconds=30)
"""A runner that was seen within this time takes jobs."""
_MEDIANS_OF: Final = 400


@dataclass(frozen=True)
class Queue:
    """How a request stands in the queue.

    Attributes
    ----------
    ahead
        Reductions that come before its first waiting one; None if none waits.
    slots
        Reductions that runners of its engine carry out at once; 0 when there is no such runner.
    seconds
        Median time of a reduction of each kind, by this engine.
    """

    ahead: int | None = None
    slots: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def _asked(question: RequestQuestion, sight: Sight, account_id: int | None) -> Where:
    where = Where()
    text, values = seen_request(sight, account_id)
    where.values += values
    where.require(text)
    where.add("state = {}", question.state and question.state.value)
    where.add("engine = {}", question.engine)
    where.add("who = {}", question.who)
    if question.mine:
        where.add_each("account_id IS NOT DISTINCT FROM {}::bigint", account_id)
    pattern = like(question.q)
    if pattern is not None:
        where.add_each(
            "(title ILIKE {} OR request_id LIKE {})", pattern, f"{(question.q or '').lower()[:16]}%"
        )
    return where


async def requests(
    pool: Pool, question: RequestQuestion, sight: Sight, account_id: int | None
) -> tuple[list[Row], int]:
    """Requests that a question asks for, the newest first, and how many there are in all."""
    where = _asked(question, sight, account_id)
    total = await pool.fetchval(f"SELECT count(*) FROM request{where}", *where.values)  # noqa: S608 - constants
    rows = await pool.fetch(
        f"SELECT {COLUMNS} FROM request{where}"  # noqa: S608 - constant columns and conditions
        f" ORDER BY submitted_at DESC, request_id{where.page(question.limit, question.offset)}",
        *where.values,
    )
    return await told_rows(pool, [dict(row) for row in rows], sight, ("reason",)), int(total)


async def of_the_last_week(pool: Pool, sight: Sight, account_id: int | None) -> int:
    """Number of requests of the last seven days, of those that are seen."""
    allowed, values = seen_request(sight, account_id)
    found = await pool.fetchval(
        f"SELECT count(*) FROM request WHERE submitted_at > now() - interval '7 days' AND {allowed}",  # noqa: S608 - constant condition
        *values,
    )
    return int(found)


async def request(
    pool: Pool, request_id: str, sight: Sight, account_id: int | None, *, whole: bool = False
) -> Row | None:
    """One request, or None.

    Parameters
    ----------
    whole
        With what concerns its owner alone: account, mail and webhook.
    """
    allowed, values = seen_request(sight, account_id, [request_id])
    more = ", account_id, mail, webhook, webhook_secret, variant" if whole else ""
    row = await pool.fetchrow(
        f"SELECT {COLUMNS}, missing{more} FROM request WHERE request_id = $1 AND {allowed}",  # noqa: S608 - constants
        *values,
    )
    return None if row is None else (await told_rows(pool, [dict(row)], sight, ("reason", "missing")))[0]


async def frames_of(pool: Pool, request_id: str, sight: Sight, limit: int) -> list[Row]:
    """Frames of a request that are seen, in the order in which they were chosen."""
    rows = await pool.fetch(
        "SELECT l.frame_id, f.night, f.name, f.run, f.arm, f.frame_class, f.object_name, f.field, f.plate, f.grating,"  # noqa: S608 - constant condition
        " f.exposed, l.state, l.reason, l.level, l.job_key FROM request_frame l JOIN frame f USING (frame_id)"
        f" WHERE l.request_id = $1 AND {condition('frame', 3, 'f')} ORDER BY l.position LIMIT $2",
        request_id,
        limit,
        *values_of(sight),
    )
    return await told_rows(pool, [dict(row) for row in rows], sight, ("reason",))


async def parts_of(pool: Pool, request_id: str, sight: Sight, limit: int = PARTS) -> list[Row]:
    """Reductions of a request: what needs attention first, then what was asked for, then what serves it.

    What belongs to others is told without names.
    """
    rows = await pool.fetch(
        f"""
        SELECT p.job_key, p.position, p.kind, p.night, p.arm, p.label, p.result, p.reused, p.asked_at,
            CASE WHEN r.state IS NULL OR r.state = 'cancelled' THEN p.reason ELSE r.error END AS reason,
            coalesce(nullif(r.state, 'cancelled'), CASE WHEN p.asked_at IS NULL THEN 'waiting' ELSE 'queued' END)
                AS state,
            r.stage, r.progress, r.attempt, r.queued_at, r.started_at, r.finished_at,
            CASE WHEN r.job_key IS NOT NULL THEN {condition("reduction", 3, "r")} ELSE true END AS seen,
            d.product_id, d.signal_to_noise
        FROM request_part p LEFT JOIN reduction r USING (job_key)
        LEFT JOIN LATERAL (
            SELECT product_id, (quality ->> 'signal_to_noise')::float8 AS signal_to_noise FROM product
            WHERE product.job_key = p.job_key AND {condition("product", 3, "product")}
            ORDER BY product.kind = 'tlm', product.kind LIMIT 1) d ON true
        WHERE p.request_id = $1 AND p.wanted
        ORDER BY CASE WHEN r.state IN ('running', 'retrying') THEN 0 WHEN r.state = 'failed' THEN 1
            WHEN p.result THEN 2 ELSE 3 END, p.position LIMIT $2
        """,  # noqa: S608 - constant conditions
        request_id,
        limit,
        *values_of(sight),
    )
    return await told_rows(pool, [dict(row) for row in rows], sight, ("label", "reason"))


async def events_of(pool: Pool, request_id: str, sight: Sight, limit: int = 100) -> list[Row]:
    """History of a request, the newest first."""
    rows = await pool.fetch(
        "SELECT at, kind, text, who FROM request_event WHERE request_id = $1 ORDER BY event_id DESC LIMIT $2",
        *(request_id, limit),
    )
    return await told_rows(pool, [dict(row) for row in rows], sight, ("text",))


async def deliveries_of(pool: Pool, request_id: str) -> list[Row]:
    """What was sent to the webhook of a request, the newest first. For its owner alone."""
    rows = await pool.fetch(
        "SELECT delivery_id, created_at, next_at, tries, delivered_at, result FROM webhook_delivery"
        " WHERE request_id = $1 ORDER BY created_at DESC LIMIT 20",
        request_id,
    )
    return [dict(row) for row in rows]


async def open_kinds(pool: Pool, request_id: str) -> dict[str, int]:
    """How many reductions of each kind a request still waits for."""
    rows = await pool.fetch(
        "SELECT p.kind, count(*) AS n FROM request_part p LEFT JOIN reduction r USING (job_key)"
        " WHERE p.request_id = $1 AND p.wanted AND coalesce(r.state, 'queued') NOT IN ('succeeded', 'failed')"
        " GROUP BY p.kind",
        request_id,
    )
    return {row["kind"]: row["n"] for row in rows}


async def queue_of(pool: Pool, request_id: str, engine: str) -> Queue:
    """How a request stands in the queue."""
    ahead = await pool.fetchval(
        """
        WITH mine AS (
            SELECT j.priority, j.id, j.queue_name FROM request_part p
            JOIN procrastinate_jobs j ON j.queueing_lock = p.job_key AND j.status = 'todo'
            WHERE p.request_id = $1 AND p.wanted ORDER BY j.priority DESC, j.id LIMIT 1)
        SELECT (SELECT count(*) FROM procrastinate_jobs j, mine
            WHERE j.status = 'todo' AND j.queue_name = mine.queue_name
                AND (j.priority > mine.priority OR (j.priority = mine.priority AND j.id < mine.id)))
        WHERE EXISTS (SELECT FROM mine)
        """,
        request_id,
    )
    slots = await pool.fetchval(
        "SELECT coalesce(sum(slots), 0) FROM runner_presence WHERE engine = $1 AND seen_at > now() - $2::interval",
        *(engine, FRESH),
    )
    rows = await pool.fetch(
        "SELECT kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at)) AS s"
        " FROM (SELECT kind, finished_at, started_at FROM reduction WHERE state = 'succeeded' AND engine = $1"
        "  AND finished_at IS NOT NULL AND started_at IS NOT NULL ORDER BY finished_at DESC LIMIT $2) newest GROUP BY kind",
        *(engine, _MEDIANS_OF),
    )
    return Queue(ahead, int(slots), {row["kind"]: float(row["s"]) for row in rows})


async def running_logs(pool: Pool, request_id: str, sight: Sight, limit: int = 3) -> list[Row]:
    """Reductions of a request that are at work and seen: whose logs are worth looking at."""
    allowed, values = seen("reduction", sight, [request_id, limit], "r")
    rows = await pool.fetch(
        "SELECT r.job_key, r.night, r.attempt, r.kind, p.label FROM request_part p JOIN reduction r USING (job_key)"  # noqa: S608 - constant condition
        f" WHERE p.request_id = $1 AND p.wanted AND r.state = 'running' AND {allowed}"
        " ORDER BY r.started_at, r.job_key LIMIT $2",
        *values,
    )
    return [dict(row) for row in rows]


async def chosen(pool: Pool, frame_ids: Sequence[str], sight: Sight) -> list[Row]:
    """Frames of some identifiers that are seen, in the order given; others are as if they did not exist."""
    allowed, values = seen("frame", sight, [list(frame_ids)])
    rows = await pool.fetch(
        "SELECT frame_id, night, name, run, arm, frame_class, object_name, field, plate, grating, central_wavelength,"  # noqa: S608 - constant condition
        f" exposed, junked FROM frame WHERE frame_id = ANY($1::text[]) AND {allowed}",
        *values,
    )
    found = {row["frame_id"]: dict(row) for row in rows}
    return [found[frame_id] for frame_id in dict.fromkeys(frame_ids) if frame_id in found]


async def select(pool: Pool, wanted: Select, sight: Sight) -> list[str]:
    """Identifiers of frames that a selection means, in the order of their runs; one more than a request may have."""
    where = Where()
    where.seen_by("frame", sight)
    where.require("NOT junked")
    where.add("night = ANY({}::text[])", wanted.nights or None)
    where.add("night >= {}", wanted.first_night)
    where.add("night <= {}", wanted.last_night)
    where.add("field = ANY({}::text[])", wanted.fields or None)
    where.add("object_name = ANY({}::text[])", wanted.objects or None)
    where.add("frame_class = ANY({}::text[])", [kind.value for kind in wanted.classes])
    where.add("arm = ANY({}::text[])", [arm.value for arm in wanted.arms] or None)
    where.add("plate = ANY({}::smallint[])", wanted.plates or None)
    where.add("upper(grating) = ANY({}::text[])", [grating.upper() for grating in wanted.gratings] or None)
    if wanted.proposals:
        where.add(
            "owner = ANY({}::text[])", sorted({key for one in wanted.proposals if (key := proposal_key(one))})
        )
    rows = await pool.fetch(
        f"SELECT frame_id FROM frame{where} ORDER BY night, run, arm, frame_id"  # noqa: S608 - constant conditions
        f"{where.page(MOST_FRAMES_BY_QUERY + 1, 0)}",
        *where.values,
    )
    return [row["frame_id"] for row in rows]
