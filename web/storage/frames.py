"""Frames, nights and the observing log, as the pages and the JSON interface show them."""

from __future__ import annotations

from typing import Any

from paws.database import Pool
from paws.status import FRAME_COLUMNS
from web.questions import FrameQuestion
from web.storage.filters import Where, like

Row = dict[str, Any]


async def frames(pool: Pool, question: FrameQuestion) -> tuple[list[Row], int]:
    """Frames that a question asks for, the newest night first, and how many there are in all."""
    where = Where()
    where.add("night = {}", question.night)
    where.add("arm = {}", question.arm and question.arm.value)
    where.add("frame_class = {}", question.frame_class and question.frame_class.value)
    where.add("state = {}", question.state and question.state.value)
    where.add("field = {}", question.field)
    where.add("run = {}", question.run)
    where.add("(object_name ILIKE {} OR field ILIKE {} OR name ILIKE {})", like(question.q))
    total = await pool.fetchval(f"SELECT count(*) FROM frame_status{where}", *where.values)  # noqa: S608 - constants
    rows = await pool.fetch(
        f"SELECT {FRAME_COLUMNS} FROM frame_status{where}"  # noqa: S608 - constant columns and conditions
        f" ORDER BY night DESC, run DESC, arm, frame_id{where.page(question.limit, question.offset)}",
        *where.values,
    )
    return [dict(row) for row in rows], int(total)


async def frame(pool: Pool, frame_id: str) -> Row | None:
    """One frame with its header, plan and checksum, or None."""
    row = await pool.fetchrow(
        f"SELECT {', '.join(f's.{name.strip()}' for name in FRAME_COLUMNS.split(','))}, s.decision,"  # noqa: S608 - constant columns
        " f.checksum, f.size_bytes, f.configuration, f.proposal, f.header, f.junk_reason, f.junked_by, f.junked_at"
        " FROM frame_status s JOIN frame f USING (frame_id) WHERE frame_id = $1",
        frame_id,
    )
    return None if row is None else dict(row)


async def frame_names(pool: Pool, frame_ids: list[str]) -> dict[str, Row]:
    """Name, run, arm and class of frames, by identifier."""
    rows = await pool.fetch(
        "SELECT frame_id, name, run, arm, frame_class, object_name FROM frame WHERE frame_id = ANY($1::text[])",
        frame_ids,
    )
    return {row["frame_id"]: dict(row) for row in rows}


async def nights(pool: Pool, limit: int, offset: int) -> tuple[list[Row], int]:
    """Nights with their counts, the newest first."""
    total = await pool.fetchval(
        "SELECT count(*) FROM (SELECT night FROM frame UNION SELECT night FROM rejected_file) n"
    )
    rows = await pool.fetch(
        """
        WITH chosen AS (
            SELECT night FROM (SELECT night FROM frame UNION SELECT night FROM rejected_file) n
            ORDER BY night DESC LIMIT $1 OFFSET $2
        )
        SELECT c.night,
            count(s.frame_id) AS frames,
            count(*) FILTER (WHERE s.frame_class IN ('MFOBJECT', 'MFFLX')) AS science,
            count(*) FILTER (WHERE s.state = 'reduced') AS reduced,
            count(*) FILTER (WHERE s.state = 'failed') AS failed,
            count(*) FILTER (WHERE s.state IN ('arrived', 'waiting', 'queued', 'running')) AS waiting,
            (SELECT count(*) FROM rejected_file r WHERE r.night = c.night AND r.resolved_at IS NULL) AS rejected,
            (SELECT count(*) FROM product p WHERE p.night = c.night AND p.current) AS products,
            min(s.completed_at) AS first_frame, max(s.completed_at) AS last_frame
        FROM chosen c LEFT JOIN frame_status s USING (night)
        GROUP BY c.night ORDER BY c.night DESC
        """,
        limit,
        offset,
    )
    return [dict(row) for row in rows], int(total)


async def observing_log(pool: Pool, night: str) -> list[Row]:
    """Observing log of a night, in the order of the runs."""
    rows = await pool.fetch(
        "SELECT frame_id, night, run, arm, ut_start, frame_class, object_name, field, plate, grating,"
        " central_wavelength, exposed, airmass, proposal, level, signal_to_noise, result"
        " FROM observing_log WHERE night = $1 ORDER BY run, arm, frame_id",
        night,
    )
    return [dict(row) for row in rows]
