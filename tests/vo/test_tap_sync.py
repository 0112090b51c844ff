"""Queries that are answered at once: what they say, and what is said of them."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import asyncpg
import httpx
import pytest
from astropy.io.votable import parse
from starlette.requests import ClientDisconnect

from tests.support.people import House
from tests.vo.conftest import as_program

ADQL = {"LANG": "ADQL"}


async def ask(client: httpx.AsyncClient, query: str, **more: str) -> httpx.Response:
    return await client.get("/tap/sync", params={**ADQL, "RESPONSEFORMAT": "csv", "QUERY": query, **more})


async def rows(client: httpx.AsyncClient, query: str, **more: str) -> list[dict[str, str]]:
    answer = await ask(client, query, **more)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def told(answer: httpx.Response) -> str:
    """The reason that an error document gives."""
    assert answer.headers["content-type"] == "application/x-votable+xml"
    (info,) = [
        one for one in parse(io.BytesIO(answer.content)).resources[0].infos if one.name == "QUERY_STATUS"
    ]
    assert info.value == "ERROR"
    return str(info.content)


async def test_a_query_has_an_answer_with_its_metadata(vo: House):
    answer = await as_program(vo, "mia").post(
        "/tap/sync", data={"lang": "ADQL-2.1", "query": "SELECT TOP 3 s_ra, target_name FROM ivoa.obscore"}
    )
    table = parse(io.BytesIO(answer.content)).get_first_table()
    assert [(field.name, field.unit, field.ucd) for field in table.fields] == [
        ("s_ra", "deg", "pos.eq.ra"),
        ("target_name", None, "meta.id;src"),
    ]
    assert len(table.array) == 3


async def test_both_methods_and_all_names_of_parameters_ask_the_same(vo: House):
    lea = as_program(vo, "lea")
    query = {
        "Query": "SELECT COUNT(*) AS n FROM ivoa.obscore",
        "Format": "csv",
        "request": "doQuery",
        "lang": "ADQL",
    }
    by_get = await lea.get("/tap/sync", params=query)
    by_form = await lea.post("/tap/sync", data=query)
    by_parts = await lea.post("/tap/sync", data=query, files={"unused": b""})
    assert by_get.text == by_form.text == by_parts.text != ""


@pytest.mark.parametrize(("maxrec", "count"), [("0", 0), ("2", 2)])
async def test_more_rows_than_wanted_overflow(vo: House, maxrec, count):
    answer = await as_program(vo, "lea").get(
        "/tap/sync", params={**ADQL, "QUERY": "SELECT fibre FROM ivoa.obscore", "MAXREC": maxrec}
    )
    document = parse(io.BytesIO(answer.content))
    assert len(document.get_first_table().array) == count
    # The word comes behind the table, where a stream knows it.
    assert answer.text.index("OVERFLOW") > answer.text.index("TABLE>")


async def test_addresses_in_rows_begin_where_the_asker_reached_us(vo: House):
    found = await rows(as_program(vo, "lea"), "SELECT TOP 1 access_url FROM ivoa.obscore")
    assert found[0]["access_url"].startswith("http://paws/datalink/links?ID=")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT targt_name FROM ivoa.obscore", ["targt_name", "target_name", "line 1, column 8"]),
        ("SELECT s_ra FROM ivoa.obscor", ["ivoa.obscor", "did you mean ivoa.obscore"]),
        ("SELECT s_ra FRM ivoa.obscore", ["line 1"]),
        ("SELECT s_ra FROM ivoa.obscore; DROP TABLE product", [";"]),
        ("DROP TABLE product", ["SELECT"]),
        ("SELECT * FROM pg_catalog.pg_authid", ["pg_catalog"]),
        ("SELECT owners FROM ivoa.obscore", ["owners"]),
        ("SELECT pg_sleep(5) FROM ivoa.obscore", ["pg_sleep"]),
        ("SELECT 1e300 * 1e300 * s_ra AS a FROM ivoa.obscore", ["too large"]),
    ],
)
async def test_what_is_wrong_with_a_query_is_said_with_its_place(vo: House, query, words):
    answer = await ask(as_program(vo, "lea"), query)
    assert answer.status_code == 400
    text = told(answer)
    assert [word for word in words if word not in text] == []
    # Nothing of ours: no SQL, no traceback.
    assert not {"$1", "may_see", "Traceback", "asyncpg", '"vo"'} & set(text.split())


async def test_advice_on_products_that_are_too_large_helps(vo: House):
    lea = as_program(vo, "lea")
    product = "SELECT TOP 1 {} * 2000000000 AS a FROM ivoa.obscore WHERE fibre > 1"
    answer = await ask(lea, product.format("fibre"))
    assert answer.status_code == 400
    (advice,) = re.findall(r"CAST\(x AS [A-Z ]+\)", told(answer))
    (found,) = await rows(lea, product.format(advice.replace("x", "fibre")))
    assert float(found["a"]) >= 4e9


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 400),
        ({"LANG": "SQL", "QUERY": "SELECT 1 AS a FROM ivoa.obscore"}, 400),
        ({**ADQL, "QUERY": "SELECT 1 AS a FROM ivoa.obscore", "RESPONSEFORMAT": "docx"}, 400),
        ({**ADQL, "QUERY": "SELECT 1 AS a FROM TAP_UPLOAD.t", "UPLOAD": "t,http://127.0.0.1:9/"}, 400),
        ({**ADQL, "QUERY": "SELECT 1 AS a FROM TAP_UPLOAD.t", "UPLOAD": "t,http://169.254.169.254/"}, 400),
        ({**ADQL, "QUERY": "SELECT 1 AS a FROM TAP_UPLOAD.t", "UPLOAD": "t,param:none"}, 400),
    ],
)
async def test_parameters_that_cannot_be_used_are_refused(vo: House, parameters, status):
    answer = await as_program(vo).post("/tap/sync", data=parameters)
    assert answer.status_code == status
    assert told(answer)


async def test_a_query_that_takes_too_long_is_ended(vo: House):
    vo.app.state.web.tap.settings = vo.settings.model_copy(update={"tap_sync_timeout": 0.3})
    many = ", ".join(f"ivoa.obscore AS t{number}" for number in range(6))
    answer = await ask(as_program(vo, "root"), f"SELECT COUNT(*) AS n FROM {many}")
    assert answer.status_code == 503
    assert "/tap/async" in told(answer)
    running = await vo.pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paws tap sync' AND state = 'active'"
    )
    assert running == 0


async def test_a_query_ends_when_nobody_listens(vo: House):
    many = ", ".join(f"ivoa.obscore AS t{number}" for number in range(6))
    client = as_program(vo, "root")
    request = client.build_request(
        "GET", "/tap/sync", params={**ADQL, "QUERY": f"SELECT COUNT(*) AS n FROM {many}"}
    )

    async def gone():
        return {"type": "http.disconnect"}

    told_of = []

    async def send(message):
        told_of.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/tap/sync",
        "query_string": request.url.query,
        "headers": request.headers.raw,
        "client": ("192.0.2.7", 1),
        "server": ("paws", 80),
        "scheme": "http",
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    try:
        await vo.app(scope, gone, send)
    except ClientDisconnect:
        pytest.fail("the way of a visitor who goes is no error")
    assert told_of == []
    assert vo.app.state.web.tap.turns.working == 0


async def test_answers_are_made_in_all_formats(vo: House):
    lea = as_program(vo, "lea")
    query = "SELECT TOP 5 s_ra, target_name, s_region, fibre FROM ivoa.obscore"
    starts = {
        "votable": b"<?xml",
        "votable/b2": b"<?xml",
        "tsv": b"s_ra\t",
        "fits": b"SIMPLE",
        "parquet": b"PAR1",
    }
    for name, start in starts.items():
        answer = await lea.get("/tap/sync", params={**ADQL, "QUERY": query, "RESPONSEFORMAT": name})
        assert answer.content.startswith(start), name
    answer = await lea.get("/tap/sync", params={**ADQL, "QUERY": query, "RESPONSEFORMAT": "json"})
    assert json.loads(answer.text)


async def test_pages_of_other_sites_read_what_strangers_read(vo: House):
    answer = await ask(as_program(vo), "SELECT 1 AS a FROM ivoa.obscore")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    foreign = await as_program(vo).post("/tap/sync", data=ADQL, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403


async def test_what_the_database_may_do_for_a_query_is_bounded(vo: House):
    desk = vo.app.state.web.tap.queries
    pool = await desk._open()
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT current_user") == "paws_tap"
        for forbidden in (
            "SELECT * FROM account",
            "SELECT * FROM product",
            "INSERT INTO tap_job (job_id) VALUES ('x')",
            "CREATE TABLE vo.mine (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
        limit = await connection.fetchval("SHOW temp_file_limit")
    assert limit == "4000MB"


def test_nothing_is_left_of_what_was_sent(vo_site):
    spool = Path(vo_site.settings.tap_dir) / "spool"
    assert not spool.exists() or list(spool.iterdir()) == []


async def test_columns_of_uploads_may_have_names_that_the_database_has_for_its_own(vo: House):
    answer = await as_program(vo).post(
        "/tap/sync",
        data={
            **ADQL,
            "RESPONSEFORMAT": "csv",
            "QUERY": "SELECT * FROM TAP_UPLOAD.t WHERE xmin > 1",
            "UPLOAD": "t,param:t",
        },
        files={"t": ("t.csv", b"ctid,xmin\n5,1\n6,2\n")},
    )
    assert answer.status_code == 200
    assert answer.text.split() == ["ctid,xmin", "6,2"]


async def test_a_point_of_three_numbers_is_refused_with_its_place(vo: House):
    table = (
        '<VOTABLE><RESOURCE><TABLE><FIELD name="p" datatype="double" arraysize="2" xtype="point"/><DATA><TABLEDATA>'
        "<TR><TD>1 2</TD></TR><TR><TD>1 2 3</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    answer = await as_program(vo).post(
        "/tap/sync",
        data={**ADQL, "QUERY": "SELECT * FROM TAP_UPLOAD.t", "UPLOAD": "t,param:t"},
        files={"t": ("t.vot", table.encode())},
    )
    assert answer.status_code == 400
    assert "UPLOAD t: Column 'p', row 2: a point has 2 numbers; here are 3." in answer.text


async def test_null_may_meet_a_region(vo: House):
    found = await rows(
        as_program(vo, "lea"),
        "SELECT 1 AS one, NULL AS place FROM ivoa.obscore UNION SELECT TOP 1 1, s_region FROM ivoa.obscore",
    )
    assert sorted(row["place"][:12] for row in found) == ["", "Circle ICRS "]
