"""What became of a night, read from the database: counts, latencies, and whether all has settled."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from paws.database import Connection
from paws.figures import FrameTimes, ReductionTimes, latency, percentile, seconds
from schemas.vocabulary import FrameState


@dataclass(frozen=True)
class NightCounts:
    """Counts of a night's frames by state, and of what is under way."""

    states: dict[str, int]
    rejected: int
    open_reductions: int
    unpublished: int
    products: int
    fields_told: int

    @property
    def frames(self) -> int:
        """Accepted frames."""
        return sum(self.states.values())

    @property
    def settled(self) -> bool:
        """Whether every frame is in a final state and nothing is under way."""
        final = sum(count for state, count in self.states.items() if FrameState(state).is_final)
        return final == self.frames and self.open_reductions == 0 and self.unpublished == 0


@dataclass(frozen=True)
class NightSummary:
    """Summary of a night. Latencies in s, of science frames: complete on disk to product announced.

    `reduced` counts the frames for which all is done: those with products, and those set aside because
    a better calibration of the same kind serves (`set_aside` tells how many of them). `published` is the time from a
    registered product to its spectra in the tables of the Virtual Observatory.
    """

    night: str
    frames: int
    reduced: int
    set_aside: int
    failed: int
    waiting: int
    junked: int
    rejected: int
    products: int
    duplicates: int
    latency_p50: float | None
    latency_p95: float | None
    overhead_p50: float | None
    overhead_p95: float | None
    engine_seconds: float
    published_p50: float | None = None
    published_p95: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing failed, waits or was made twice."""
        return self.failed == 0 and self.waiting == 0 and self.duplicates == 0 and self.frames > 0

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


async def count(connection: Connection, night: str) -> NightCounts:
    """Counts of a night, live frames only."""
    rows = await connection.fetch(
        "SELECT state, count(*) AS n FROM frame_status WHERE night = $1 AND source = 'live' GROUP BY state",
        night,
    )
    one = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM rejected_file WHERE night = $1 AND resolved_at IS NULL) AS rejected,
               (SELECT count(*) FROM reduction
                 WHERE night = $1 AND state IN ('queued', 'running', 'retrying')) AS open,
               (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
               (SELECT count(*) FROM product WHERE night = $1 AND current) AS products,
               (SELECT count(*) FROM notification WHERE night = $1 AND kind = 'field') AS fields_told
        """,
        night,
    )
    return NightCounts(
        {row["state"]: row["n"] for row in rows},
        one["rejected"],
        one["open"],
        one["unpublished"],
        one["products"],
        one["fields_told"],
    )


async def summarise(connection: Connection, night: str, slots: int) -> NightSummary:
    """Summary of a night.

    Parameters
    ----------
    slots
        Reductions at once over all runners: waiting for a slot is not the system's overhead.
    """
    counts = await count(connection, night)
    states = Counter(counts.states)
    reductions = await _reduction_times(connection, night)
    latencies = [latency(frame, reductions, slots) for frame in await _frame_times(connection, night)]
    doubled = await connection.fetchval(
        """
        SELECT coalesce(sum(n - 1), 0)::int FROM (
            SELECT count(*) AS n FROM product WHERE night = $1 AND current
            GROUP BY path HAVING count(*) > 1) AS twice
        """,
        night,
    )
    published = await _publishing_times(connection, night)
    unfinished = sum(states[state] for state in ("arrived", "waiting", "queued", "running"))
    return NightSummary(
        night=night,
        frames=counts.frames,
        reduced=states["reduced"] + states["set_aside"],
        set_aside=states["set_aside"],
        failed=states["failed"] + await _failed_without_frame(connection, night),
        waiting=unfinished,
        junked=states["junked"],
        rejected=counts.rejected,
        products=counts.products,
        duplicates=doubled,
        latency_p50=percentile([item.total for item in latencies], 0.5),
        latency_p95=percentile([item.total for item in latencies], 0.95),
        overhead_p50=percentile([item.overhead for item in latencies], 0.5),
        overhead_p95=percentile([item.overhead for item in latencies], 0.95),
        engine_seconds=sum(item.engine[1] - item.engine[0] for item in reductions.values() if item.engine),
        published_p50=percentile(published, 0.5),
        published_p95=percentile(published, 0.95),
        problems=await _problems(connection, night),
    )


async def _reduction_times(connection: Connection, night: str) -> dict[str, ReductionTimes]:
    rows = await connection.fetch(
        """
        SELECT job_key, engine_started_at, engine_finished_at,
               document -> 'calibrations' AS calibrations, document -> 'inputs' AS inputs
        FROM reduction WHERE night = $1
        """,
        night,
    )
    times: dict[str, ReductionTimes] = {}
    for row in rows:
        needs = [choice["product"]["job_key"] for choice in _list(row["calibrations"])]
        needs += [item["job_key"] for item in _list(row["inputs"])]
        worked = row["engine_started_at"] is not None and row["engine_finished_at"] is not None
        times[row["job_key"]] = ReductionTimes(
            row["job_key"],
            (seconds(row["engine_started_at"]), seconds(row["engine_finished_at"])) if worked else None,
            tuple(needs),
        )
    return times


async def _frame_times(connection: Connection, night: str) -> list[FrameTimes]:
    # The first product of a frame is what the observer waits for; later, better ones do not count.
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (f.frame_id) f.frame_id, r.job_key, f.completed_at, o.published_at
        FROM frame f
        JOIN reduction_frame USING (frame_id)
        JOIN reduction r USING (job_key)
        JOIN outbox o ON o.topic = 'reductions.finished' AND o.payload ->> 'job_key' = r.job_key
        WHERE f.night = $1 AND f.frame_class = 'MFOBJECT' AND f.source = 'live'
          AND r.kind = 'reduce_object' AND r.state = 'succeeded'
          AND o.published_at IS NOT NULL AND o.payload ->> 'state' = 'succeeded'
        ORDER BY f.frame_id, o.published_at
        """,
        night,
    )
    return [
        FrameTimes(row["job_key"], seconds(row["completed_at"]), seconds(row["published_at"])) for row in rows
    ]


async def _publishing_times(connection: Connection, night: str) -> list[float]:
    rows = await connection.fetch(
        "SELECT extract(epoch FROM d.taken_in_at - p.created_at)::float8 AS seconds"
        " FROM product p JOIN product_spectra d USING (product_id) WHERE p.night = $1",
        night,
    )
    return [row["seconds"] for row in rows]


async def _failed_without_frame(connection: Connection, night: str) -> int:
    # Combining and splicing decide no frame's state; a failure of the wanted one must still be told.
    return int(
        await connection.fetchval(
            """
            SELECT count(*) FROM slot s JOIN reduction r USING (job_key)
            WHERE s.night = $1 AND r.state = 'failed'
              AND NOT EXISTS (SELECT 1 FROM frame_plan p WHERE p.job_key = r.job_key)
            """,
            night,
        )
    )


async def _problems(connection: Connection, night: str) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT name || ': ' || state || ': ' || coalesce(reason, '') AS line FROM frame_status
        WHERE night = $1 AND source = 'live' AND state NOT IN ('reduced', 'set_aside', 'junked')
        UNION ALL
        SELECT name || ': rejected: ' || reason FROM rejected_file WHERE night = $1 AND resolved_at IS NULL
        UNION ALL
        SELECT r.slot || ': ' || r.kind || ' failed: ' || coalesce(r.error, '') FROM slot s JOIN reduction r USING (job_key)
        WHERE s.night = $1 AND r.state = 'failed'
        ORDER BY 1 LIMIT 50
        """,
        night,
    )
    return [row["line"] for row in rows]


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = orjson.loads(value)
    return value or []
