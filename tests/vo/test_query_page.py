"""The query page without scripts, and what its scripts ask: for whom what is there."""

from __future__ import annotations

import html
import re

import pytest

from tests.support.people import THEIR_FIELD, House
from tests.vo.conftest import as_program
from web.vo.page import handlers

COUNT = "SELECT field, COUNT(*) AS n FROM paws.frames GROUP BY field"


async def test_a_query_is_answered_without_scripts(vo: House):
    answer = await (await vo.person("root")).get(
        "/query", params={"query": "SELECT s_ra, target_name FROM ivoa.obscore", "run": "1"}
    )
    assert answer.status_code == 200
    assert re.search(r"<h2>\d+ rows", answer.text)
    assert 's_ra <span class="unit">deg</span>' in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert 'href="/tap/sync?LANG=ADQL&amp;FORMAT=fits&amp;QUERY=SELECT' in answer.text


async def test_more_rows_than_are_shown_are_told_of(vo: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handlers, "SHOWN", 2)
    answer = await (await vo.person("root")).get(
        "/query", params={"query": "SELECT * FROM ivoa.obscore", "run": "1"}
    )
    assert "2 rows, and there are more" in answer.text
    monkeypatch.setattr(handlers, "_LARGEST", 100)
    answer = await (await vo.person("root")).get(
        "/query", params={"query": "SELECT * FROM ivoa.obscore", "run": "1"}
    )
    assert "too long to be shown" in answer.text


async def test_a_wrong_query_is_told_with_a_link_to_the_right_one(vo: House):
    stranger = vo.browser()
    answer = await stranger.get(
        "/query", params={"query": "SELECT target_nam\r\nFROM ivoa.obscore", "run": "1"}
    )
    assert answer.status_code == 400
    text = html.unescape(answer.text)
    assert "did you mean target_name or " in text
    (better,) = re.findall(r'href="(/query\?[^"]+)">Put target_name there', text)
    again = await stranger.get(better)
    assert "SELECT target_name\nFROM ivoa.obscore" in again.text


async def test_nothing_is_run_before_it_is_asked_for(vo: House):
    answer = await vo.browser().get("/query", params={"query": "SELECT nothing FROM nowhere"})
    assert answer.status_code == 200
    assert "SELECT nothing FROM nowhere" in answer.text
    assert "nowhere (line" not in answer.text
    assert (await vo.browser().get("/query?run=1&query=")).status_code == 200


async def test_queries_and_cells_are_text(vo: House, monkeypatch: pytest.MonkeyPatch):
    nasty = "</textarea><script>alert(1)</script>"
    answer = await vo.browser().get(
        "/query",
        params={"query": f"SELECT '{nasty}' AS \"<b>\" FROM TAP_SCHEMA.tables", "run": "1"},
    )
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text
    assert html.escape("<script>alert(1)</script>") in answer.text
    short = vo.settings.model_copy(update={"tap_query_length": 1000})
    monkeypatch.setattr(vo.app.state.web, "settings", short)
    long = await vo.browser().get("/query", params={"query": "x" * 1001})
    assert long.status_code == 422


async def test_everybody_sees_their_own(vo: House):
    seen = {}
    for name in ("root", "mia", "theo"):
        answer = await (await vo.person(name)).get("/query", params={"query": COUNT, "run": "1"})
        seen[name] = f"<td>{THEIR_FIELD}</td>" in answer.text
    seen["nobody"] = (
        f"<td>{THEIR_FIELD}</td>"
        in (await vo.browser().get("/query", params={"query": COUNT, "run": "1"})).text
    )
    assert seen == {"root": True, "mia": False, "theo": True, "nobody": False}


async def test_the_vocabulary_is_sent_once(vo: House):
    client = vo.browser()
    answer = await client.get("/query/vocabulary")
    found = answer.json()
    names = [table["name"] for table in found["tables"]]
    assert "ivoa.obscore" in names
    columns = found["tables"][names.index("ivoa.obscore")]["columns"]
    assert {"name": "s_ra", "unit": "deg", "ucd": "pos.eq.ra"}.items() <= next(
        column for column in columns if column["name"] == "s_ra"
    ).items()
    again = await client.get("/query/vocabulary", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert not again.content
    assert "private" in again.headers["cache-control"]


async def test_a_query_is_checked_and_not_run(vo: House):
    client = vo.browser()

    async def check(query: str) -> dict[str, object]:
        return dict((await client.get("/query/check", params={"query": query})).json())

    assert (await check("SELECT s_ra FROM ivoa.obscore"))["columns"] == ["s_ra"]
    wrong = await check("SELECT s_rra FROM ivoa.obscore")
    assert (wrong["fine"], wrong["position"], wrong["length"]) == (False, 7, 5)
    assert (await check("SELECT x FROM TAP_UPLOAD.mine"))["fine"] is True
    program = as_program(vo)
    assert (await program.get("/query/check", params={"query": ""})).json()["fine"] is False
