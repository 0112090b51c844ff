"""How long the explorer's tree takes in front of a large archive."""

from __future__ import annotations

import time
from datetime import date

import pytest

from paws.access.rule import Sight, sees_all
from paws.database import connect, open_pool
from paws.settings import Settings
from web.explorer.questions import BrowseQuestion
from web.storage.explorer import DatabaseShelf

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_tree_of_a_large_archive(database: Settings) -> None:
    """Half a million files are 60,000 current products with spectra."""
    connection = await connect(database)
    await connection.execute(
        "INSERT INTO reduction (job_key, slot, kind, night, state, priority, engine, engine_version, document, requested_at)"
        " SELECT 'j' || i, 's' || i, 'reduce_object', '20260312', 'succeeded', 1, 'builtin', '1', '{}', now()"
        " FROM generate_series(1, 60000) i"
    )
    await connection.execute(
        "INSERT INTO product (product_id, job_key, slot, kind, night, arm, version, current, path, stored_path, checksum,"
        " size_bytes, plate, grating, field, run, owners, public_on)"
        " SELECT 'p' || i, 'j' || i, 's' || i, 'object', to_char(date '2015-01-01' + i / 20, 'YYYYMMDD'), 'blue', 1, true,"
        " format('p%s/580V/s1/%s-F%s-p%s/OBJ%sred.fits', i % 2, to_char(date '2015-01-01' + i / 20, 'YYYYMMDD'), i / 5,"
        " i % 2, lpad((i % 20)::text, 4, '0')), 'x', 'x', 1, i % 2, '580V', 'F' || i / 5, i % 20,"
        " ARRAY['A/2026A/' || i % 100], date '2030-01-01' FROM generate_series(1, 60000) i"
    )
    await connection.execute("ANALYZE product")
    async with open_pool(database) as pool:
        await _browse(DatabaseShelf(database, lambda: pool))
    await connection.close()


async def _browse(shelf: DatabaseShelf) -> None:
    everything = sees_all(date(2026, 3, 12))
    member = Sight(False, frozenset(f"A/2026A/{one}" for one in range(3)), frozenset(), date(2026, 3, 12))
    for name, sight in (("administrator", everything), ("member of three proposals", member)):
        for words in (None, "F1200", "2019 580v obj0007", "nothing of that name"):
            times = []
            for _ in range(5):
                start = time.perf_counter()
                found, total = await shelf.browse(BrowseQuestion(q=words), sight)
                times.append(1000 * (time.perf_counter() - start))
            print(f"{name}, {words or 'all'}: {len(found)} of {total} in {sorted(times)[2]:.0f} ms")
