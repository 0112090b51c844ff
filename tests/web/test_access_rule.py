"""The rule in Python and the rule in the database give the same answers, whatever the case."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paws.access.predicate import condition, values_of
from paws.access.rule import (
    OBSERVATORY,
    Periods,
    Scope,
    Sight,
    field_grant,
    may_see,
    owner_of,
    proposal_key,
    public_on,
    thing_grant,
)
from paws.settings import Settings
from schemas.vocabulary import FrameClass

KNOWN = ("A/2026A/008", "AAT/16B/12", "S/2016A/14")
PROPOSALS = st.sampled_from(
    [*KNOWN, "a/2026a/008", " A/2026A/008 ", "", "*", "Ä/1", "A\x1fB", "A" * 90, "ſ/1", "A\n", "unknown one"]
)
FIELDS = st.sampled_from(["", "SGP0344", "FLD195", "A\x1fB"])
MJD = st.one_of(
    st.floats(50_000, 70_000),
    st.sampled_from(
        [-1.0, 0.0, 61111.999999, 59610.0, 199_999.5, 200_000.0, 1e300, float("nan"), float("inf")]
    ),
)
MONTHS = st.one_of(st.none(), st.integers(0, 40), st.just(1200))
DAYS = st.dates(date(1995, 1, 1), date(2060, 1, 1))
FRAMES = st.lists(
    st.tuples(PROPOSALS, st.sampled_from(list(FrameClass)), FIELDS, MJD), min_size=1, max_size=4
)
PERIODS = st.dictionaries(
    st.sampled_from(KNOWN),
    st.dictionaries(st.one_of(st.just(date.min), DAYS), MONTHS, max_size=3),
    max_size=3,
)
SIGHTS = st.builds(
    Sight,
    st.sampled_from([False, False, False, True]),
    st.frozensets(st.sampled_from([*KNOWN, OBSERVATORY]), max_size=3),
    st.frozensets(
        st.one_of(
            st.builds(field_grant, st.sampled_from([*KNOWN, OBSERVATORY]), FIELDS),
            st.builds(thing_grant, st.sampled_from(["thing", "other", ""])),
        ),
        max_size=3,
    ),
    DAYS,
)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    found = asyncio.new_event_loop()
    yield found
    found.close()


def scope_of(frame: tuple[str, FrameClass, str, float], default: int, periods: Any) -> Scope:
    proposal, kind, field, mjd = frame
    owner = owner_of(proposal, kind)
    return Scope(frozenset({owner}), public_on(mjd, Periods(default, periods.get(owner, {}))), field)


async def write(connection: Any, frames: Any) -> None:
    for number, (proposal, kind, field, mjd) in enumerate(frames):
        await connection.execute(
            "INSERT INTO frame (frame_id, night, name, path, checksum, size_bytes, arm, run, frame_class, field,"
            " proposal, exposed, utmjd, document, completed_at)"
            " VALUES ($1, '20260312', 'n', 'p', 'c', 1, 'blue', 1, $2, $3, $4, 1, $5, '{}', now())",
            *(f"f{number}", kind.value, field, proposal, mjd),
        )
    for table, key in (("reduction", "job_key"), ("product", "product_id")):
        if table == "reduction":
            await connection.execute(
                "INSERT INTO reduction (job_key, slot, kind, night, state, priority, engine, engine_version, document,"
                " requested_at) VALUES ('thing', 's', 'k', '20260312', 'queued', 1, 'e', 'v',"
                " jsonb_build_object('layout', jsonb_build_object('field', $1::text)), now())",
                frames[0][2],
            )
        else:
            await connection.execute(
                "INSERT INTO product (product_id, job_key, slot, kind, night, version, path, stored_path, checksum,"
                " size_bytes, field) VALUES ('thing', 'thing', 's', 'k', '20260312', 1, 'p', 'p', 'c', 1, $1)",
                frames[0][2],
            )
        await connection.execute(
            f"INSERT INTO {table}_frame ({key}, frame_id) SELECT 'thing', unnest($1::text[])",
            [f"f{number}" for number in range(len(frames))],
        )


async def in_database(
    settings: Settings, frames: Any, default: int, periods: Any, sight: Sight, late: bool
) -> Any:
    """What the database says: owners and dates of the frames, of a product of all, and what is seen."""
    connection = await asyncpg.connect(settings.require_database())
    transaction = connection.transaction()
    await transaction.start()
    try:
        if late:
            await write(connection, frames)
        await connection.execute("UPDATE access_policy SET months = $1", default)
        for proposal, since in periods.items():
            await connection.execute("INSERT INTO proposal (proposal) VALUES ($1)", proposal)
            for start, months in since.items():
                await connection.execute(
                    "INSERT INTO proprietary_period (proposal, observed_from, months) VALUES ($1, $2, $3)",
                    *(proposal, start, months),
                )
        if not late:
            await write(connection, frames)
        found = await connection.fetch(
            f"SELECT owner, public_on, {condition('frame', 1)} AS seen,"
            f" EXISTS (SELECT 1 FROM frame_status s WHERE s.frame_id = frame.frame_id AND {condition('frame', 1, 's')})"
            " AS status_seen FROM frame ORDER BY frame_id",
            *values_of(sight),
        )
        things = [
            await connection.fetchrow(
                f"SELECT owners, public_on, {condition(kind, 1, 't')} AS seen FROM {kind} t",
                *values_of(sight),
            )
            for kind in ("product", "reduction")
        ]
        return found, things
    finally:
        await transaction.rollback()
        await connection.close()


def test_database_and_python_agree(database_server: Any, tmp_path_factory: Any, loop: Any) -> None:
    from paws.settings import load_settings
    from tests.support.postgres import TEMPLATE, run_sql

    asyncio.run(run_sql(database_server, f"CREATE DATABASE access_rule TEMPLATE {TEMPLATE}"))
    chosen = load_settings(database_url=database_server.url("access_rule"))

    @settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
    @given(FRAMES, st.integers(0, 36), PERIODS, SIGHTS, st.booleans())
    def check(frames: Any, default: int, periods: Any, sight: Sight, late: bool) -> None:
        scopes = [scope_of(frame, default, periods) for frame in frames]
        whole = Scope(
            frozenset().union(*(one.owners for one in scopes)),
            max(one.public_on for one in scopes),
            frames[0][2],
            "thing",
        )
        found, things = loop.run_until_complete(in_database(chosen, frames, default, periods, sight, late))
        for row, scope in zip(found, scopes, strict=True):
            assert ({row["owner"]}, row["public_on"]) == (scope.owners, scope.public_on)
            assert row["seen"] is row["status_seen"] is may_see(sight, scope)
        for row in things:
            assert (set(row["owners"]), row["public_on"]) == (whole.owners, whole.public_on)
            assert row["seen"] is may_see(sight, whole)
        # To see the whole without a link is to see every part.
        bare = replace(sight, grants=frozenset())
        if may_see(bare, whole):
            assert all(may_see(bare, scope) for scope in scopes)

    check()


async def test_frame_that_changes_hands_takes_its_products_along(database: Settings) -> None:
    connection = await asyncpg.connect(database.require_database())
    await write(connection, [("A/2026A/008", FrameClass.MFOBJECT, "F", 61111.0)])
    await connection.execute("UPDATE frame SET proposal = 'S/2016A/14', utmjd = 50000")
    for table in ("product", "reduction"):
        row = await connection.fetchrow(f"SELECT owners, public_on FROM {table}")
        assert (row["owners"], row["public_on"]) == (["S/2016A/14"], date(1997, 4, 10))
    await connection.close()


async def test_frames_that_come_back_give_their_products_to_their_owners(database: Settings) -> None:
    """A rebuilt database may know products before frames: all frames of one statement count."""
    connection = await asyncpg.connect(database.require_database())
    case = [
        ("A/2026A/008", FrameClass.MFOBJECT, "F", 61111.0),
        ("AAT/16B/12", FrameClass.MFARC, "F", 61110.0),
    ]
    await write(connection, case)
    await connection.execute("CREATE TABLE kept AS SELECT * FROM frame")
    await connection.execute("ALTER TABLE kept DROP COLUMN instrument")
    await connection.execute("DELETE FROM frame")
    for table in ("product", "reduction"):
        await connection.execute(f"UPDATE {table} SET owners = '{{}}', public_on = 'infinity'")
    columns = await connection.fetchval(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = 'kept'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    await connection.execute(f"INSERT INTO frame ({columns}) SELECT {columns} FROM kept")
    for table in ("product", "reduction"):
        rows = await connection.fetch(f"SELECT owners FROM {table}")
        assert {one for row in rows for one in row["owners"]} == {"A/2026A/008", "AAT/16B/12"}
    await connection.close()


def test_names_that_cannot_be_proposals_belong_to_nobody() -> None:
    assert proposal_key(" a/2026a/008 ") == "A/2026A/008"
    assert {proposal_key(text) for text in ("", "*", "A\n", "Ä", "A" * 81, "\x1f")} == {""}


def test_sight_without_owner_is_refused() -> None:
    with pytest.raises(ValueError, match="no members"):
        Sight(False, frozenset({""}), frozenset(), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("months", "expected"),
    [(0, date(2026, 8, 31)), (6, date(2027, 2, 28)), (18, date(2028, 2, 29)), (None, date.max)],
)
def test_periods_end_on_the_same_day_of_a_month(months: int | None, expected: date) -> None:
    mjd = (date(2026, 8, 31) - date(1858, 11, 17)).days + 0.6
    assert public_on(mjd, Periods(since={date.min: months})) == expected


async def test_database_that_is_in_use_is_brought_along(
    database_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paws import database as paws_database
    from paws.settings import load_settings
    from tests.support.night_rows import write_night
    from tests.support.postgres import run_sql

    await run_sql(database_server, "CREATE DATABASE access_old")
    chosen = load_settings(database_url=database_server.url("access_old"), data_dir=tmp_path)
    every = paws_database.migrations()
    monkeypatch.setattr(paws_database, "migrations", lambda: every[:1])
    connection = await paws_database.connect(chosen, migrated=False)
    await paws_database.migrate(connection)
    await write_night(chosen, with_files=False)
    monkeypatch.setattr(paws_database, "migrations", lambda: every)
    assert "0002_accounts.sql" in await paws_database.migrate(connection)
    owners = {
        row["owner"]: row["n"]
        for row in await connection.fetch("SELECT owner, count(*) AS n FROM frame GROUP BY 1")
    }
    assert owners == {"*": 8, "A/2026A/008": 22}
    for table in ("product", "reduction"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE owners = '{{}}'") == 0
        assert await connection.fetchval(f"SELECT count(DISTINCT public_on) FROM {table}") == 1
    await connection.close()
