"""Frames, nights and the observing log, as the pages and the JSON interface show them."""

from __future__ import annotations

from typing import Any

from paws.access.predicate import condition, seen, values_of
from paws.access.rule import Sight
from paws.database import Pool
from paws.status import FRAME_COLUMNS
from web.access import told_rows, without_programme
from web.questions import FrameQuestion
from web.storage.filters import Where, like

Row = dict[str, Any]
_TEXTS = ("reason", "stage")


async def frames(pool: Pool, question: FrameQuestion, sight: Sight) -> tuple[list[Row], int]:
    """Frames that a question asks for, the newest night first, and how many there are in all."""
    where = Where()
    where.seen_by("frame", sight)
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
    found = await told_rows(pool, [dict(row) for row in rows], sight, _TEXTS)
    return found, int(total)


async def frame(pool: Pool, frame_id: str, sight: Sight) -> Row | None:
    """One frame with its header, plan and checksum, or None."""
    row = await pool.fetchrow(
        f"SELECT {', '.join(f's.{name.strip()}' for name in FRAME_COLUMNS.split(','))}, s.decision,"  # noqa: S608 - constant columns
        " f.checksum, f.size_bytes, f.configuration, f.proposal, f.header, f.junk_reason, f.junked_by, f.junked_at,"
        " f.owner, f.public_on"
        " FROM frame_status s JOIN frame f USING (frame_id) WHERE frame_id = $1"
        f" AND {condition('frame', 2, 'f')}",
        frame_id,
        *values_of(sight),
    )
    if row is None:
        return None
    return (await told_rows(pool, [without_programme(dict(row), sight)], sight, (*_TEXTS, "decision")))[0]


async def frame_names(pool: Pool, frame_ids: list[str], sight: Sight) -> dict[str, Row]:
    """Name, run, arm and class of frames that are seen, by identifier."""
    allowed, values = seen("frame", sight, [frame_ids])
    rows = await pool.fetch(
        "SELECT frame_id, name, run, arm, frame_class, object_name FROM frame"  # noqa: S608 - constant condition
        f" WHERE frame_id = ANY($1::text[]) AND {allowed}",
        *values,
    )
    return {row["frame_id"]: dict(row) for row in rows}


async def nights(pool: Pool, limit: int, offset: int, sight: Sight) -> tuple[list[Row], int]:
    """Nights with their counts of what is seen, the newest first. Rejected files are for who sees everything."""
    seen_frame, viewer = condition("frame", 1, "f"), values_of(sight)
    known = (
        f"SELECT night FROM frame f WHERE {seen_frame}"  # noqa: S608 - constant condition
        " UNION SELECT night FROM rejected_file WHERE $1::boolean"
    )
    total = await pool.fetchval(f"SELECT count(*) FROM ({known}) n", *viewer)  # noqa: S608 - constants
    rows = await pool.fetch(
        f"""
        WITH chosen AS (SELECT night FROM ({known}) n ORDER BY night DESC LIMIT $5 OFFSET $6)
        SELECT c.night,
            count(f.frame_id) AS frames,
            count(*) FILTER (WHERE f.frame_class IN ('MFOBJECT', 'MFFLX')) AS science,
            count(*) FILTER (WHERE f.state = 'reduced') AS reduced,
            count(*) FILTER (WHERE f.state = 'failed') AS failed,
            count(*) FILTER (WHERE f.state IN ('arrived', 'waiting', 'queued', 'running')) AS waiting,
            (SELECT count(*) FROM rejected_file r WHERE r.night = c.night AND r.resolved_at IS NULL AND $1) AS rejected,
            (SELECT count(*) FROM product p WHERE p.night = c.night AND p.current AND {condition("product", 1, "p")})
                AS products,
            min(f.completed_at) AS first_frame, max(f.completed_at) AS last_frame
        FROM chosen c LEFT JOIN frame_status f ON f.night = c.night AND {seen_frame}
        GROUP BY c.night ORDER BY c.night DESC
        """,  # noqa: S608 - constant conditions
        *viewer,
        limit,
        offset,
    )
    return [dict(row) for row in rows], int(total)


async def observing_log(pool: Pool, night: str, sight: Sight) -> list[Row]:
    """Observing log of a night, in the order of the runs. Lines whose frame is gone are for who sees everything."""
    rows = await pool.fetch(
        "SELECT l.frame_id, l.night, l.run, l.arm, l.ut_start, l.frame_class, l.object_name, l.field, l.plate,"  # noqa: S608 - constant condition
        " l.grating, l.central_wavelength, l.exposed, l.airmass, l.proposal, l.level, l.signal_to_noise, l.result,"
        " coalesce(f.owner, '') AS owner, coalesce(f.public_on, 'infinity') AS public_on FROM observing_log l LEFT JOIN frame f USING (frame_id) WHERE l.night = $1"
        f" AND coalesce({condition('frame', 2, 'f')}, $2) ORDER BY l.run, l.arm, l.frame_id",
        night,
        *values_of(sight),
    )
    return await told_rows(pool, [without_programme(dict(row), sight) for row in rows], sight, ("result",))
