"""Figures of a long list of requests. Prints them, asserts none: `pytest -m benchmark -s tests/benchmarks`."""

from __future__ import annotations

import time
from datetime import date

import pytest

from paws.access.rule import Sight, sees_all
from paws.database import open_pool
from paws.settings import Settings
from schemas.vocabulary import RequestState
from tests.web.conftest import running
from web.requests.questions import RequestQuestion
from web.storage import requests as store

pytestmark = pytest.mark.benchmark
REQUESTS = 10_000
FRAMES = 20
REPEATS = 7
TODAY = date(2026, 3, 13)

_FILL = """
INSERT INTO request (request_id, who, title, night, engine, engine_version, parameters, parameters_version, variant,
    state, reason, frames, parts, parts_done, submitted_at, owners)
SELECT substr(md5(n::text), 1, 16), 'who' || n % 40, 'field ' || n % 500, '20260312', 'builtin', '1',
    '{"SKYSUB": false}', 1, 'v', (ARRAY['Finished', 'Failed', 'Cancelled', 'Finished'])[1 + n % 4], 'everything is done',
    20, 40, 40, now() - n * interval '20 minutes', ARRAY['P' || n % 50]
FROM generate_series(1, $1) n
"""
_FRAMES = """
INSERT INTO request_frame (request_id, frame_id, position)
SELECT substr(md5(n::text), 1, 16), 'frame-' || n || '-' || f, f FROM generate_series(1, $1) n, generate_series(1, $2) f
"""
QUESTIONS = {
    "all": RequestQuestion(),
    "the last page": RequestQuestion(offset=REQUESTS - 100),
    "by state": RequestQuestion(state=RequestState.FAILED),
    "by title": RequestQuestion(q="field 77"),
    "by a title that none has": RequestQuestion(q="nothing of that name"),
    "by whom": RequestQuestion(who="who7"),
}


async def test_list_of_many_requests(database: Settings) -> None:
    member = Sight(False, frozenset({"P7", "*"}), frozenset(), TODAY)
    async with open_pool(database) as pool:
        await pool.execute(_FILL, REQUESTS)
        await pool.execute(_FRAMES, REQUESTS, FRAMES)
        await pool.execute("ANALYZE")
        print(f"\n{REQUESTS} requests of {FRAMES} frames; median of {REPEATS}, milliseconds")
        for name, question in QUESTIONS.items():
            for who, sight, account in (("administrator", sees_all(TODAY), None), ("member", member, 3)):
                times, total = [], 0
                for _ in range(REPEATS):
                    began = time.perf_counter()
                    _rows, total = await store.requests(pool, question, sight, account)
                    times.append(time.perf_counter() - began)
                print(f"{name:28} {who:14} {total:6} found {1000 * sorted(times)[REPEATS // 2]:7.1f}")
    async with running(database) as (_app, client):
        for path in (
            "/requests",
            f"/requests?offset={REQUESTS - 100}",
            "/requests?q=field+77",
            "/api/requests",
        ):
            times = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                assert (await client.get(path)).status_code == 200
                times.append(time.perf_counter() - began)
            print(f"{path:43} page {1000 * sorted(times)[REPEATS // 2]:14.1f}")
