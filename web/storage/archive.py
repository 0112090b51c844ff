"""The frame index, as the archive asks it. Everything is answered for somebody's eyes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paws.access.predicate import seen
from paws.access.rule import NOBODY, OBSERVATORY, Sight, proposal_key
from paws.database import Pool
from schemas.vocabulary import FrameClass
from web.access import without_programme
from web.archive.questions import ArchiveClass, ArchiveQuestion, ArchiveSort
from web.archive.sky import Cone
from web.storage.filters import Where, like

Row = dict[str, Any]

MOST_COUNTED: Final = 100_000
"""Frames up to which an answer is counted; beyond, it says that there are more."""
_SCIENCE: Final = [one.value for one in FrameClass if one.is_science]

# Where the telescope pointed during somebody's bias is not told: see paws.access.rule.
_POINTED: Final = f"owner <> '{OBSERVATORY}'"
_COLUMNS: Final = (
    "f.frame_id, f.night, f.run, f.arm, f.name, f.frame_class, f.object_name, f.field, f.plate, f.instrument,"
    " f.grating, f.central_wavelength, f.exposed, f.utmjd, f.proposal, f.owner, f.public_on,"
    f" CASE WHEN f.{_POINTED} THEN f.ra END AS ra, CASE WHEN f.{_POINTED} THEN f.dec END AS dec,"
    f" CASE WHEN f.{_POINTED} THEN f.airmass END AS airmass"
)
_DISTANCE: Final = (
    "2 * asind(least(1.0, sqrt(power(sind((dec - {}) / 2), 2)"
    " + cosd(dec) * cosd({}) * power(sind((ra - {}) / 2), 2))))"
)
_IN_ORDER: Final = "night, run, arm, frame_id"
_SORTS: Final = {"class": "frame_class", "object": "lower(object_name)", "field": "lower(field)"}
_NEWEST: Final = (("night", True), ("run", True), ("arm", False), ("frame_id", False))
_FAR: Final = 1000
"""Offset from which on it is worth asking from the other end."""


@dataclass(frozen=True)
class Found:
    """A page of an answer.

    Attributes
    ----------
    more
        Whether there are more than `total`, which then is only how far was counted.
    """

    rows: list[Row]
    total: int
    more: bool


def _conditions(question: ArchiveQuestion, cone: Cone | None, sight: Sight) -> Where:
    where = Where()
    where.seen_by("frame", sight)
    where.add("night = {}", question.night)
    where.add("night >= {}", question.first_night)
    where.add("night <= {}", question.last_night)
    _add_class(where, question.frame_class)
    where.add("object_name ILIKE {}", like(question.object))
    where.add("field ILIKE {}", like(question.field))
    where.add("instrument ILIKE {}", like(question.instrument))
    where.add("upper(grating) = upper({})", question.grating)
    where.add("arm = {}", question.arm and question.arm.value)
    where.add("plate = {}", question.plate)
    if question.proposal is not None:
        # By owner and not by the header's word: in whose night a bias was taken is told to nobody else.
        key = proposal_key(question.proposal)
        where.add("owner = {}", key if key != NOBODY else None)
        if key == NOBODY:
            where.require("false")
    where.add("exposed >= {}", question.exposed_min)
    where.add("exposed <= {}", question.exposed_max)
    where.add("run = {}", question.run)
    where.add("name ILIKE {}", like(question.name))
    if cone is not None:
        _add_cone(where, cone)
    return where


def _add_class(where: Where, kind: ArchiveClass | None) -> None:
    if kind is ArchiveClass.SCIENCE:
        where.add("frame_class = ANY({}::text[])", _SCIENCE)
    elif kind is ArchiveClass.CALIBRATION:
        where.add("frame_class <> ALL({}::text[])", _SCIENCE)
    else:
        where.add("frame_class = {}", kind and kind.value)


def _add_cone(where: Where, cone: Cone) -> None:
    where.require(_POINTED)
    boxes = cone.boxes()
    box = "point(ra, dec) <@ box(point({}, {}), point({}, {}))"
    where.add_each(f"({' OR '.join([box] * len(boxes))})", *(value for corners in boxes for value in corners))
    centre = cone.centre
    where.add_each(f"{_DISTANCE} <= {{}}", centre.dec, centre.dec, centre.ra, cone.radius)


def _order(sort: ArchiveSort, cone: Cone | None, where: Where, backwards: bool) -> str:
    """What to sort by; ties are broken by newest first, so that pages never share a frame."""
    if sort.column == "night":
        keys = _NEWEST if sort.down else tuple((name, False) for name, _ in _NEWEST)
    elif sort.column == "distance" and cone is not None:
        distance = _DISTANCE
        for value in (cone.centre.dec, cone.centre.dec, cone.centre.ra):
            where.values.append(value)
            distance = distance.replace("{}", f"${len(where.values)}", 1)
        keys = ((distance, sort.down), *_NEWEST)
    else:
        keys = ((_SORTS.get(sort.column, sort.column), sort.down), *_NEWEST)
    return ", ".join(f"{name}{' DESC' if down is not backwards else ''}" for name, down in keys)


async def find(pool: Pool, question: ArchiveQuestion, cone: Cone | None, sight: Sight) -> Found:
    """Part of the frames that a question asks for, and how many there are."""
    limit, offset = question.limit, question.offset
    if offset < _FAR:
        chosen = await _page(pool, question, cone, sight, limit, offset)
        if len(chosen) < limit and (chosen or not offset):
            return Found(await rows_of(pool, chosen, sight), offset + len(chosen), False)
        total, more = await _count(pool, _conditions(question, cone, sight), "SELECT FROM frame")
    else:
        total, more = await _count(pool, _conditions(question, cone, sight), "SELECT FROM frame")
        left = total - offset
        if more or left > offset:
            chosen = await _page(pool, question, cone, sight, limit, offset)
        elif left > 0:
            # Behind the middle the page is nearer from the end.
            take = min(limit, left)
            chosen = await _page(pool, question, cone, sight, take, left - take, backwards=True)
            chosen.reverse()
        else:
            chosen = []
    return Found(await rows_of(pool, chosen, sight), total, more)


async def _page(
    pool: Pool,
    question: ArchiveQuestion,
    cone: Cone | None,
    sight: Sight,
    limit: int,
    offset: int,
    backwards: bool = False,
) -> list[str]:
    where = _conditions(question, cone, sight)
    order = _order(question.sort, cone, where, backwards)
    rows = await pool.fetch(
        f"SELECT frame_id FROM frame{where} ORDER BY {order}{where.page(limit, offset)}",  # noqa: S608 - constants
        *where.values,
    )
    return [row["frame_id"] for row in rows]


async def _count(pool: Pool, where: Where, select: str) -> tuple[int, bool]:
    where.values.append(MOST_COUNTED + 1)
    counted = await pool.fetchval(
        f"SELECT count(*) FROM ({select}{where} LIMIT ${len(where.values)}) AS found",  # noqa: S608 - constants
        *where.values,
    )
    return min(int(counted), MOST_COUNTED), counted > MOST_COUNTED


async def rows_of(pool: Pool, frame_ids: Sequence[str], sight: Sight) -> list[Row]:
    """Frames by their identifiers, in that order, as far as they are seen, with their state."""
    allowed, values = seen("frame", sight, [list(frame_ids)], "f")
    rows = await pool.fetch(
        f"SELECT {_COLUMNS}, s.state, s.level, s.provisional FROM unnest($1::text[]) WITH ORDINALITY AS w (frame_id, place)"  # noqa: S608 - constants
        " JOIN frame f USING (frame_id) JOIN frame_status s USING (frame_id)"
        f" WHERE {allowed} ORDER BY w.place",
        *values,
    )
    return [without_programme(dict(row), sight) for row in rows]


async def identifiers(
    pool: Pool, question: ArchiveQuestion, cone: Cone | None, sight: Sight, most: int
) -> list[str]:
    """Identifiers of all frames that a question asks for, in order of time; one more than `most` if there are more."""
    where = _conditions(question, cone, sight)
    where.values.append(most + 1)
    rows = await pool.fetch(
        f"SELECT frame_id FROM frame{where} ORDER BY {_IN_ORDER} LIMIT ${len(where.values)}",  # noqa: S608 - constants
        *where.values,
    )
    return [row["frame_id"] for row in rows]


async def nights_of(pool: Pool, question: ArchiveQuestion, cone: Cone | None, sight: Sight) -> list[str]:
    """Nights in which there are frames that a question asks for."""
    where = _conditions(question, cone, sight)
    rows = await pool.fetch(f"SELECT DISTINCT night FROM frame{where} ORDER BY night", *where.values)  # noqa: S608 - constants
    return [row["night"] for row in rows]


async def by_night(
    pool: Pool, question: ArchiveQuestion, cone: Cone | None, sight: Sight
) -> AsyncIterator[list[Row]]:
    """All frames that a question asks for, in order of time, a night at once.

    No connection is held between two nights: how fast somebody takes them is their affair.
    """
    for night in await nights_of(pool, question, cone, sight):
        # What is asked of a night within the answer: both conditions hold.
        where = _conditions(question, cone, sight)
        where.add("night = {}", night)
        found = await pool.fetch(
            f"SELECT {_COLUMNS}, s.state, s.level, s.provisional FROM frame f JOIN frame_status s USING (frame_id)"  # noqa: S608 - constants
            f" WHERE frame_id IN (SELECT frame_id FROM frame{where}) ORDER BY f.night, f.run, f.arm, frame_id",
            *where.values,
        )
        yield [without_programme(dict(row), sight) for row in found]


async def fields(pool: Pool, question: ArchiveQuestion, cone: Cone | None, sight: Sight) -> Found:
    """The same frames by field: those through the fibres, grouped by night, plate and field, the newest first."""
    where = _of_fields(question, cone, sight)
    where.values += [question.limit, question.offset, MOST_COUNTED + 1]
    last = len(where.values)
    groups = await pool.fetch(
        "WITH found AS MATERIALIZED (SELECT night, plate, field, min(run) AS run"  # noqa: S608 - constants
        f" FROM frame{where} GROUP BY night, plate, field LIMIT ${last})"
        " SELECT night, plate, field, (SELECT count(*) FROM found) AS total FROM found"
        f" ORDER BY night DESC, run DESC, plate, field LIMIT ${last - 2} OFFSET ${last - 1}",
        *where.values,
    )
    if not groups:
        where = _of_fields(question, cone, sight)
        return Found([], *await _count(pool, where, "SELECT DISTINCT night, plate, field FROM frame"))
    total = int(groups[0]["total"])
    rows = await _field_rows(pool, question, cone, sight, groups)
    return Found(rows, min(total, MOST_COUNTED), total > MOST_COUNTED)


def _of_fields(question: ArchiveQuestion, cone: Cone | None, sight: Sight) -> Where:
    where = _conditions(question, cone, sight)
    where.require(_POINTED)
    where.require("plate IS NOT NULL")
    return where


async def _field_rows(
    pool: Pool, question: ArchiveQuestion, cone: Cone | None, sight: Sight, groups: Sequence[Any]
) -> list[Row]:
    """What is told of some fields: only frames that the question asks for are counted."""
    where = _of_fields(question, cone, sight)
    where.add("night = ANY({}::text[])", sorted({group["night"] for group in groups}))
    where.values.append(_SCIENCE)
    science = f"frame_class = ANY(${len(where.values)}::text[])"
    rows = await pool.fetch(
        "SELECT night, plate, field, count(*) AS frames,"  # noqa: S608 - constants
        f" count(*) FILTER (WHERE {science}) AS science,"
        f" sum(exposed) FILTER (WHERE {science} AND arm = 'blue') AS blue_seconds,"
        f" sum(exposed) FILTER (WHERE {science} AND arm = 'red') AS red_seconds,"
        " array_agg(DISTINCT grating) FILTER (WHERE grating <> '') AS gratings,"
        " min(utmjd) AS first_mjd, max(utmjd) AS last_mjd, min(ra) AS ra, min(dec) AS dec"
        f" FROM frame{where} GROUP BY night, plate, field",
        *where.values,
    )
    told = {(row["night"], row["plate"], row["field"]): dict(row) for row in rows}
    found = [told.get((group["night"], group["plate"], group["field"])) for group in groups]
    return [row for row in found if row is not None]


async def field_rows(pool: Pool, night: str, field: str, plate: int, sight: Sight) -> list[Row]:
    """Frames of a field in a night, in order of time, as far as they are seen."""
    where = Where()
    where.seen_by("frame", sight)
    where.add("night = {}", night)
    where.add("field = {}", field)
    where.add("plate = {}", plate)
    where.require(_POINTED)
    rows = await pool.fetch(
        f"SELECT frame_id FROM frame{where} ORDER BY {_IN_ORDER}",  # noqa: S608 - constants
        *where.values,
    )
    return await rows_of(pool, [row["frame_id"] for row in rows], sight)
