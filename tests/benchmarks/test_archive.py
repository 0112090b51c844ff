"""The archive of a season: how long each question takes, for an administrator and for a small group.

``BENCH_ARCHIVE`` sets the number of frames (100000).
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from paws.access.rule import OBSERVATORY, Sight, sees_all
from paws.database import open_pool
from paws.settings import Settings
from tests.support.seasons import night_name, parts, rows_of, season_night, write_frames
from tests.web.conftest import running
from web.archive.questions import ArchiveQuestion
from web.archive.sky import Cone, place_of
from web.storage import archive

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(7200)]

FRAMES = int(os.environ.get("BENCH_ARCHIVE", "100000"))
TODAY = date(2024, 12, 1)
QUESTIONS: dict[str, dict[str, Any]] = {
    "everything": {},
    "last page": {"offset": FRAMES - 100},
    "oldest first": {"sort": "night"},
    "by object": {"sort": "object"},
    "longest": {"sort": "-exposed"},
    "one night": {"night": night_name(20)},
    "a month": {"first_night": night_name(20), "last_night": night_name(50)},
    "science": {"frame_class": "science"},
    "arcs": {"frame_class": "MFARC"},
    "object": {"object": "sgp0034"},
    "no such object": {"object": "nowhere"},
    "field and arm": {"field": "SGP0012", "arm": "red"},
    "grating and plate": {"grating": "580V", "plate": 1, "exposed_min": 600},
    "proposal": {"proposal": "A/2024A/050"},
    "cone": {"position": "37.0 -49.0", "radius": 2.0, "sort": "distance"},
    "wide cone": {"position": "100.0 -30.0", "radius": 30.0},
    "run": {"run": 17},
}


PAGES = (
    "/archive",
    "/archive?view=fields",
    "/archive?object=sgp0034&sort=object",
    "/archive?position=100.0+-30.0&radius=30",
    f"/archive/field?night={night_name(20)}&field=SGP0015&plate=0",
    "/api/archive/frames?limit=100",
    "/nights",
    f"/nights/{night_name(20)}",
    "/api/frames?q=sgp0034",
    f"/archive/frames.csv?night={night_name(20)}",
    "/archive/frames.csv",
    "/archive/frames.vot",
)


async def page_times(settings: Settings, path: str) -> dict[str, Any]:
    """An address through the whole application, as an administrator."""
    async with running(settings) as (_app, client):
        answer, milliseconds = await timed(
            lambda: client.get(path), 1 if ".csv" in path or ".vot" in path else 5
        )
    assert answer.status_code == 200, (path, answer.text)
    return {"path": path, "ms": round(milliseconds, 1), "bytes": len(answer.content)}


async def timed(ask: Callable[[], Awaitable[Any]], times: int = 7) -> tuple[Any, float]:
    """Answer, and the median time in milliseconds of asking again."""
    answer = await ask()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        answer = await ask()
        took.append(1000 * (time.perf_counter() - began))
    return answer, statistics.median(took)


async def test_questions_to_a_season(database):
    sights = {
        "administrator": sees_all(TODAY),
        "small group": Sight(False, frozenset({"A/2024A/050", OBSERVATORY}), frozenset(), TODAY),
        "visitor": Sight(False, frozenset(), frozenset(), TODAY),
    }
    async with open_pool(database, plan_each=True) as pool:
        async with pool.acquire() as connection:
            for number in range(max(1, FRAMES // 1000)):
                await write_frames(connection, season_night(number))
            # As autovacuum does within a minute.
            await connection.execute("VACUUM ANALYZE frame", timeout=600)
        slowest = {}
        for who, sight in sights.items():
            for name, values in QUESTIONS.items():
                ask = ArchiveQuestion.model_validate(values)
                cone = Cone(place_of(ask.position), ask.radius) if ask.position else None
                found, frames_ms = await timed(lambda: archive.find(pool, ask, cone, sight))  # noqa: B023 - asked at once
                _fields, fields_ms = await timed(lambda: archive.fields(pool, ask, cone, sight), 3)  # noqa: B023 - asked at once
                print(
                    who,
                    json.dumps(
                        {
                            "question": name,
                            "found": found.total,
                            "ms": round(frames_ms, 1),
                            "fields_ms": round(fields_ms, 1),
                        }
                    ),
                )
                slowest[who] = max(slowest.get(who, 0.0), frames_ms, fields_ms)
        print("slowest", json.dumps({who: round(value, 1) for who, value in slowest.items()}))
        for path in PAGES:
            print("page", json.dumps(await page_times(database, path)))
        everything = await archive.find(pool, ArchiveQuestion(), None, sights["administrator"])
        assert everything.total == min(
            await pool.fetchval("SELECT count(*) FROM frame"), archive.MOST_COUNTED
        )


async def test_what_the_rule_of_access_costs_at_insert(database):
    """Frames of a night registered with the triggers and indices of the archive, and one by one as at night."""
    rows = rows_of(season_night(0))
    columns = "frame_id, night, name, path, checksum, size_bytes, arm, run, frame_class, exposed, utmjd, document, completed_at"
    async with open_pool(database) as pool, pool.acquire() as connection:
        from agents.ingest.storage import insert_archive

        began = time.perf_counter()
        for part in parts(rows):
            await insert_archive(connection, part)
        batch = time.perf_counter() - began
        one = f"INSERT INTO frame ({columns}) SELECT frame_id || '-again', night, name, path, checksum, size_bytes, arm, run, frame_class, exposed, utmjd, document, completed_at FROM frame WHERE frame_id = $1"
        names = [row["frame_id"] for row in await connection.fetch("SELECT frame_id FROM frame")]
        began = time.perf_counter()
        for name in names:
            await connection.execute(one, name)
        single = time.perf_counter() - began
    print(
        "insert",
        json.dumps(
            {
                "frames": len(rows),
                "batch_ms_a_frame": round(1000 * batch / len(rows), 3),
                "single_ms_a_frame": round(1000 * single / len(rows), 3),
            }
        ),
    )
    assert len(names) == len(rows)
