"""Who sees which rows, whatever they ask and however: a stranger learns nothing of rows that are not public."""

from __future__ import annotations

import base64
import csv
import io

import httpx
import pytest

from tests.support.people import THEIR_FIELD, THEIRS, House, make_token, shown
from tests.vo.conftest import as_program
from tests.vo.test_tap_jobs import ended
from tests.vo.test_tap_sync import ask, rows

TABLES = (
    "ivoa.obscore",
    "ssap.spectra",
    "paws.spectra",
    "paws.targets",
    "paws.fibres",
    "paws.products",
    "paws.frames",
    "paws.fields",
    "paws.observing_log",
)
UPLOAD = b"ra,dec\n" + b"".join(
    f"{ra},{dec}\n".encode() for ra in range(0, 360, 4) for dec in range(-88, 90, 8)
)


async def number(client: httpx.AsyncClient, query: str) -> int:
    (row,) = await rows(client, query)
    return int(row["n"])


@pytest.mark.parametrize("table", TABLES)
async def test_everybody_counts_their_own_rows(vo: House, table):
    query = f"SELECT COUNT(*) AS n FROM {table}"
    everything = await number(as_program(vo, "root"), query)
    mine, theirs = await number(as_program(vo, "mia"), query), await number(as_program(vo, "theo"), query)
    assert await number(as_program(vo), query) == 0
    if table != "paws.fibres":
        assert 0 < theirs < everything
        assert 0 < mine < everything


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT field FROM ivoa.obscore WHERE field = '{THEIR_FIELD}'",
        f"SELECT field FROM paws.frames WHERE field = '{THEIR_FIELD}' OR 1 = 1",
        "SELECT o.field FROM ivoa.obscore AS o JOIN paws.spectra AS s ON o.obs_publisher_did = s.obs_publisher_did",
        "SELECT o.field FROM ivoa.obscore AS o FULL OUTER JOIN paws.frames AS f ON o.night = f.night",
        "SELECT field FROM (SELECT field, COUNT(*) AS n FROM ivoa.obscore GROUP BY field) AS sub",
        "WITH all_of_it AS (SELECT field FROM ivoa.obscore) SELECT field FROM all_of_it",
        "SELECT field FROM ivoa.obscore UNION ALL SELECT field FROM paws.fields",
        "SELECT field FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(0, 0, 180))",
        "SELECT field FROM ivoa.obscore WHERE DISTANCE(POINT(s_ra, s_dec), POINT(0, 0)) < 180",
        "SELECT DISTINCT field FROM ivoa.obscore WHERE NOT EXISTS (SELECT 1 AS a FROM TAP_SCHEMA.keys WHERE 1 = 0)",
        "SELECT table_name AS field FROM TAP_SCHEMA.tables WHERE EXISTS"
        f" (SELECT * FROM ivoa.obscore WHERE field = '{THEIR_FIELD}')",
    ],
)
async def test_no_way_of_asking_shows_more(vo: House, query):
    """Theirs are shown to theo, and neither to mia nor to a stranger; what belongs to nobody is on no side."""
    fields = {
        name: {row["field"] for row in await rows(as_program(vo, name), query)}
        for name in ("theo", "mia", None)
    }
    if "TAP_SCHEMA.tables" in query:
        assert fields["theo"]
        assert fields["mia"] == fields[None] == set()
        return
    assert THEIR_FIELD in fields["theo"]
    assert THEIR_FIELD not in fields["mia"] | fields[None]
    assert fields[None] <= {""}


@pytest.mark.parametrize(
    ("condition", "hidden"),
    [
        # Too large a number at a row that is there, and at none.
        ("1e300 * CASE WHEN field = '{field}' THEN 1e300 ELSE 1 END > 0", True),
        ("100000 * CASE WHEN field = '{field}' THEN 100000000000000 ELSE 1 END * 100000 > 0", True),
        ("POWER(CASE WHEN field = '{field}' THEN 10 ELSE 1 END, 400) > 0", False),
        ("1 / CASE WHEN field = '{field}' THEN 0 ELSE 1 END > 0", False),
        ("LOG(CASE WHEN field = '{field}' THEN -1 ELSE 1 END) > 0", False),
        ("CAST(CASE WHEN field = '{field}' THEN 'x' ELSE '1' END AS INTEGER) > 0", False),
        ("CAST(CASE WHEN field = '{field}' THEN 1e300 ELSE 1 END AS INTEGER) > 0", False),
    ],
)
@pytest.mark.parametrize("columns", ["field", "COUNT(*) AS field"])
async def test_no_error_tells_of_a_row_that_is_not_seen(vo: House, condition, hidden, columns):
    query = f"SELECT {columns} FROM ivoa.obscore WHERE {condition.format(field=THEIR_FIELD)}"
    absent = f"SELECT {columns} FROM ivoa.obscore WHERE {condition.format(field='no such field')}"
    for name in (None, "mia"):
        theirs, nothing = await ask(as_program(vo, name), query), await ask(as_program(vo, name), absent)
        assert theirs.status_code == nothing.status_code == 200, theirs.text
        assert theirs.text == nothing.text
    if hidden:
        # It does fail where the rows are: the query is one that could tell.
        assert (await ask(as_program(vo, "theo"), query)).status_code == 400


async def test_no_error_half_way_tells_either(vo: House):
    """With more rows than one chunk, the error would come after the first were sent."""
    many = (
        f"SELECT o.field FROM paws.frames AS o, paws.frames AS p, paws.frames AS q WHERE o.field <> '{THEIR_FIELD}'"
        " AND 1e300 * CASE WHEN p.field = '%s' THEN 1e300 ELSE 1 END > 0"
    )
    mia = as_program(vo, "mia")
    theirs, nothing = await ask(mia, many % THEIR_FIELD), await ask(mia, many % "no such field")
    assert theirs.status_code == nothing.status_code == 200
    assert sorted(theirs.text.split()) == sorted(nothing.text.split())
    assert len(theirs.text.split()) > 5000
    assert (await ask(as_program(vo, "theo"), many % THEIR_FIELD)).status_code == 400


async def test_no_error_tells_of_a_personal_table(vo: House):
    await vo.pool.execute(
        "INSERT INTO tap_schema.schemas (schema_name, owner_account)"
        " SELECT 'user_lea', account_id FROM account WHERE name = 'lea'"
    )
    await vo.pool.execute(
        "INSERT INTO tap_schema.tables (table_name, schema_name, table_type, relation, owner_account)"
        " SELECT 'user_lea.secret', 'user_lea', 'table', 'vo.obscore', account_id FROM account WHERE name = 'lea'"
    )
    query = (
        "SELECT table_name FROM TAP_SCHEMA.tables WHERE table_name = 'ivoa.obscore'"
        " OR 1e300 * CASE WHEN table_name = '%s' THEN 1e300 ELSE 1 END < 0"
    )
    try:
        for name in ("root", "theo", None):
            there, not_there = [
                await ask(as_program(vo, name), query % table)
                for table in ("user_lea.secret", "user_lea.none")
            ]
            assert there.status_code == not_there.status_code == 200
            assert there.text == not_there.text
        assert (await ask(as_program(vo, "lea"), query % "user_lea.secret")).status_code == 400
    finally:
        await vo.pool.execute("DELETE FROM tap_schema.schemas WHERE schema_name = 'user_lea'")


async def test_an_upload_finds_what_is_seen(vo: House):
    query = (
        "SELECT COUNT(*) AS n FROM TAP_UPLOAD.sky AS s JOIN ivoa.obscore AS o"
        " ON DISTANCE(POINT(s.ra, s.dec), POINT(o.s_ra, o.s_dec)) < 5"
    )
    counts = {}
    for name in ("root", "theo", "mia", None):
        answer = await as_program(vo, name).post(
            "/tap/sync",
            data={"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": query, "UPLOAD": "sky,param:sky"},
            files={"sky": ("sky.csv", UPLOAD, "text/csv")},
        )
        assert answer.status_code == 200, answer.text
        counts[name] = int(answer.text.split()[1])
    assert counts[None] == 0
    assert 0 < counts["theo"] < counts["root"]
    assert counts["mia"] + counts["theo"] <= counts["root"]


async def test_a_job_sees_what_its_account_sees(vo: House):
    seen = {}
    for name in ("theo", None):
        client = as_program(vo, name)
        answer = await client.post(
            "/tap/async",
            data={
                "LANG": "ADQL",
                "RESPONSEFORMAT": "csv",
                "QUERY": "SELECT COUNT(*) AS n FROM ivoa.obscore",
                "PHASE": "RUN",
            },
        )
        path = answer.headers["location"].removeprefix("http://paws")
        assert await ended(client, path) == "COMPLETED"
        seen[name] = int((await client.get(f"{path}/results/result")).text.split()[1])
    assert seen[None] == 0
    assert seen["theo"] > 0


async def test_all_ways_to_sign_in_show_the_same(vo: House):
    query = f"SELECT COUNT(*) AS n FROM ivoa.obscore WHERE proposal_id = '{THEIRS}'"
    browser = await vo.person("theo")
    token = shown((await make_token(browser)).text)
    by_token = vo.browser(Authorization=f"Bearer {token}")
    found = [await number(client, query) for client in (browser, by_token, as_program(vo, "theo"))]
    assert found[0] > 0
    assert len(set(found)) == 1
    # A token for figures alone is for no reading.
    root = await vo.person("root")
    metrics = shown((await make_token(root, scope="metrics")).text)
    assert await number(vo.browser(Authorization=f"Bearer {metrics}"), query) == 0


@pytest.mark.parametrize(
    "secret", ["lea:wrong", "nobody:three blue fibres", "lea", ":", "lea:\0", "\xff\xff"]
)
async def test_a_wrong_password_is_refused_and_never_ignored(vo: House, secret):
    header = base64.b64encode(secret.encode("latin-1")).decode()
    answer = await vo.browser("198.51.100.9", Authorization=f"Basic {header}").get("/tap/capabilities")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_passwords_are_not_tried_without_end(vo: House):
    header = base64.b64encode(b"mia:guess").decode()
    client = vo.browser("198.51.100.10", Authorization=f"Basic {header}")
    answers = [(await client.get("/tap/capabilities")).text for _ in range(10)]
    assert "too many tries" in answers[-1]
    # Nor with the right one, from there; those who were right before go on.
    assert (await as_program(vo, "mia", "198.51.100.10").get("/tap/capabilities")).status_code == 401
    await vo.pool.execute("DELETE FROM attempt")


async def test_pages_for_people_take_no_passwords_with_each_request(vo: House):
    answer = await as_program(vo, "lea").get("/api/frames")
    assert answer.status_code == 401


async def test_rows_are_as_csv_has_them(vo: House):
    (row,) = csv.DictReader(
        io.StringIO((await ask(as_program(vo, "lea"), "SELECT TOP 1 field FROM ivoa.obscore")).text)
    )
    assert row["field"] == THEIR_FIELD
