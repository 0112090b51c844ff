"""The archive: questions, pages, exports, fields with their calibrations, and what it keeps to itself."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx
import pytest
from astropy.io.votable import parse_single_table

from paws.access.rule import sees_all
from paws.database import open_pool
from tests.support.night_plan import HOSTILE, NIGHT, RA_DEC
from tests.support.people import MINE, MY_FIELD, THEIR_FIELD, THEIRS, House
from tests.support.servers import listening
from tests.web.conftest import Site, running
from web.archive.export import COLUMNS
from web.archive.questions import ArchiveQuestion
from web.storage.archive import by_night

SESAME = """# M31\t#Q22523669
#=S=Simbad (via url):    1     0ms (from cache)
%J {place} = 00:42:44.33 +41:16:07.5
#====Done===
"""


async def total(client: httpx.AsyncClient, query: str) -> int:
    found = await client.get(f"/api/archive/frames?limit=1&{query}")
    assert found.status_code == 200, found.text
    return int(found.json()["total"])


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 30),
        (f"night={NIGHT}", 30),
        ("night=2026-03-12", 30),
        ("first_night=20260312&last_night=2026-03-12", 30),
        ("first_night=20260313", 0),
        ("frame_class=science", 12),
        ("frame_class=calibration", 18),
        ("frame_class=MFARC", 4),
        ("object=fld195", 6),
        ("field=sgp", 10),
        ("instrument=aaomega", 30),
        ("instrument=koala", 0),
        ("grating=580v&arm=blue", 15),
        ("grating=580v&arm=red", 0),
        ("plate=1", 12),
        ("proposal=a/2026a/008", 22),
        ("proposal=%3D%3D", 0),
        ("exposed_min=900&exposed_max=1200", 8),
        ("run=8", 2),
        ("name=12mar20008", 1),
        ("object=%25", 0),
        ("object=_L", 0),
        (f"position={RA_DEC[0][0]}+{RA_DEC[0][1]}", 12),
        ("position=02:22:00+-28:45:00&radius=0.5", 12),
        ("position=0+90&radius=30", 0),
        (f"position={RA_DEC[1][0]}+{RA_DEC[1][1]}&radius=20", 22),
    ],
)
async def test_questions_find_what_they_ask_for(client: httpx.AsyncClient, query: str, number: int) -> None:
    assert await total(client, query) == number


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("night", lambda row: (row["night"], row["run"], row["arm"])),
        ("object", lambda row: row["object_name"].lower()),
        ("-exposed", lambda row: -row["exposed"]),
        ("class", lambda row: row["frame_class"]),
    ],
)
async def test_pages_are_in_order_and_share_nothing(client: httpx.AsyncClient, sort: str, key: Any) -> None:
    rows = []
    for offset in range(0, 40, 7):
        page = (await client.get(f"/api/archive/frames?sort={sort}&limit=7&offset={offset}")).json()
        assert page["total"] == 30
        rows += page["items"]
    assert len({row["frame_id"] for row in rows}) == len(rows) == 30
    assert [key(row) for row in rows] == sorted(key(row) for row in rows)


async def test_pages_from_the_other_end_are_the_same(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rows(offset: int) -> list[str]:
        page = (await client.get(f"/api/archive/frames?sort=object&limit=7&offset={offset}")).json()
        assert page["total"] == 30
        return [row["frame_id"] for row in page["items"]]

    near = [await rows(offset) for offset in range(0, 40, 7)]
    monkeypatch.setattr("web.storage.archive._FAR", 0)
    assert [await rows(offset) for offset in range(0, 40, 7)] == near
    assert near[-1] == []


async def test_nearest_comes_first(client: httpx.AsyncClient) -> None:
    ra, dec = RA_DEC[1]
    found = await client.get(f"/api/archive/frames?position={ra}+{dec}&radius=25&sort=distance&limit=30")
    fields = [row["field"] for row in found.json()["items"]]
    assert fields == sorted(fields, key=lambda name: name != THEIR_FIELD)
    assert {(row["ra"], row["dec"]) for row in found.json()["items"]} == {RA_DEC[0], RA_DEC[1]}


@pytest.mark.parametrize(
    "query",
    [
        "position=10+95",
        "position=400+10",
        "position=99:99:99+99:99:99",
        "radius=0",
        "radius=31",
        "radius=nan",
        "radius=inf",
        "exposed_min=-1",
        "exposed_max=1e300",
        "sort=distance",
        "sort=header",
        "frame_class=everything",
        "night=yesterday",
        "run=10000",
        "run=1;drop",
        "plate=2",
        "object=%00",
        f"object={'x' * 121}",
        "object=a&object=b",
        "limit=1001",
        "offset=-1",
        "header=x",
    ],
)
async def test_wrong_questions_are_refused(client: httpx.AsyncClient, query: str) -> None:
    for path in ("/api/archive/frames", "/archive", "/archive/frames.csv", "/archive/selection"):
        found = await client.get(f"{path}?{query}")
        assert found.status_code == 422, (path, found.text[:300])


async def test_page_keeps_its_question_in_its_address(client: httpx.AsyncClient) -> None:
    query = "object=fld195&arm=blue&sort=-exposed&limit=1"
    text = (await client.get(f"/archive?{query}")).text
    assert 'value="fld195"' in text
    (following,) = re.findall(r'rel="next" href="\?([^"]*)"', text)
    assert set(following.split("&amp;")) == {*query.split("&"), "offset=1"}
    assert "1–1" in text
    assert "3 frames" in text
    assert "There are no more." in (await client.get(f"/archive?{query}&offset=100")).text
    assert "Nothing fits." in (await client.get("/archive?object=nowhere")).text


async def test_fields_are_frames_in_groups(client: httpx.AsyncClient) -> None:
    text = (await client.get("/archive?view=fields")).text
    assert re.findall(r'<th scope="row"><a href="/archive/field\?([^"]*)"', text) == [
        f"night={NIGHT}&amp;field={THEIR_FIELD}&amp;plate=0",
        f"night={NIGHT}&amp;field={MY_FIELD}&amp;plate=1",
    ]
    assert "2 fields" in text
    assert "1 field<" in (await client.get("/archive?view=fields&position=35.5+-28.7")).text


async def test_exports_hold_everything(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/archive/frames?sort=night&limit=1000&frame_class=MFOBJECT")).json()[
        "items"
    ]
    answer = await client.get("/archive/frames.csv?frame_class=MFOBJECT")
    assert answer.headers["content-disposition"] == 'attachment; filename="paws-frames.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [line["frame_id"] for line in lines] == [row["frame_id"] for row in listed]
    assert [line["state"] for line in lines] == [row["state"] for row in listed]
    assert lines[0]["exposed"] == "1200.0"
    assert lines[0]["ut_start"].startswith("2026-03-12T0")

    answer = await client.get("/archive/frames.vot?frame_class=MFOBJECT")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = parse_single_table(io.BytesIO(answer.content), verify="exception").to_table()
    assert table.colnames == [column.name for column in COLUMNS]
    assert list(table["frame_id"]) == [row["frame_id"] for row in listed]
    assert table["ra"].unit == "deg"
    assert list(table["dec"]) == [row["dec"] for row in listed]
    nothing = parse_single_table(io.BytesIO((await client.get("/archive/frames.vot?object=nowhere")).content))
    assert len(nothing.to_table()) == 0


async def test_hostile_headers_stay_text(hostile_site: Site) -> None:
    async with running(hostile_site.settings) as (app, client):
        pool = app.state.web.pool
        await pool.execute("UPDATE frame SET object_name = $1 WHERE run = 8", '=HYPERLINK("http://x")')
        await pool.execute("UPDATE frame SET object_name = $1 WHERE run = 10", "a\x0b\x1b]]>&<b>\u00e9")
        for path in (
            "/archive",
            f"/archive/field?night={NIGHT}&field={MY_FIELD}&plate=1",
            "/archive/selection",
        ):
            text = (await client.get(path)).text
            assert HOSTILE not in text
            assert "<b>" not in text
        cells = [
            line["object_name"]
            for line in csv.DictReader(io.StringIO((await client.get("/archive/frames.csv")).text))
        ]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert '\'=HYPERLINK("http://x")' in cells
        table = parse_single_table(
            io.BytesIO((await client.get("/archive/frames.vot")).content), verify="exception"
        )
        names = set(table.to_table()["object_name"])
        assert HOSTILE in names
        assert "a??]]>&<b>?" in names


# ---- Names -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def sesame(
    place: str = "10.6847083 +41.2687500", status: int = 200
) -> AsyncIterator[tuple[str, list[str]]]:
    """A service that knows names, on this machine."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split()[1].partition("?")[2])
        body = SESAME.format(place=place) if place else "#!SIMBAD: No known catalog could be found"
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}/sesame", asked


async def test_names_are_looked_up_once_and_leave_coordinates_in_the_address(site: Site) -> None:
    ra, dec = RA_DEC[0]
    async with sesame(f"{ra} {dec:+}") as (address, asked):
        settings = site.settings.model_copy(update={"name_resolver": address})
        async with running(settings) as (_app, client):
            found = await client.get("/archive?position=NGC+%26+1&arm=red")
            assert found.status_code == 303
            assert "position=35.498600+-28.749500" in found.headers["location"]
            text = (await client.get(found.headers["location"])).text
            assert "Around NGC &amp; 1 (35.498600 -28.749500)" in text
            assert "6 frames" in text
            assert await total(client, "position=ngc++%26+1") == 12
    assert asked == ["ngc%20%26%201"]


@pytest.mark.parametrize(
    ("place", "status", "told", "code"),
    [
        ("", 200, "knows an object of that name", 422),
        ("10.0 +99.9", 200, "knows an object of that name", 422),
        ("10 +10", 500, "does not answer", 503),
    ],
)
async def test_names_that_cannot_be_looked_up(
    site: Site, place: str, status: int, told: str, code: int
) -> None:
    async with sesame(place, status) as (address, _asked):
        settings = site.settings.model_copy(update={"name_resolver": address})
        async with running(settings) as (_app, client):
            for path in ("/archive", "/api/archive/frames"):
                found = await client.get(f"{path}?position=Nowhere")
                assert found.status_code == code
                assert told in found.text
                assert "Give coordinates instead" in found.text
            assert await total(client, "position=35.5+-28.7") == 12


async def test_without_a_service_coordinates_serve(site: Site) -> None:
    settings = site.settings.model_copy(update={"name_resolver": ""})
    async with running(settings) as (_app, client):
        found = await client.get("/archive?position=M31")
        assert found.status_code == 422
        assert "PAWS_NAME_RESOLVER is empty" in found.text
        assert 'value="M31"' in found.text


# ---- Fields and calibrations ---------------------------------------------------------------------------------------


async def test_field_shows_what_its_frames_would_be_reduced_with(
    site: Site, client: httpx.AsyncClient
) -> None:
    text = (await client.get(f"/archive/field?night={NIGHT}&field={MY_FIELD}&plate=1")).text
    assert "3 exposures, combined" in text
    blue, red = text.split('id="group-2"')
    assert "12mar10005" in blue
    assert "31200 ADU in the fibres" in blue
    assert "24% of the pixels are saturated" in red, "the flat that cannot serve is told with its reason"
    assert (await client.get(f"/archive/field?night={NIGHT}&field=Nowhere&plate=1")).status_code == 404
    assert (await client.get(f"/archive/field?night={NIGHT}&field={MY_FIELD}&plate=0")).status_code == 404
    assert (await client.get(f"/archive/field?night={NIGHT}&field={MY_FIELD}")).status_code == 422

    found = (await client.get(f"/api/archive/calibrations?frame={site.frame(8, 'red')}")).json()
    roles = {role["role"]: role for role in found["roles"]}
    assert roles["tlm"]["source_frame_ids"] == [site.frame(6, "red")]
    assert roles["tlm"]["level"] == 0
    assert roles["tlm"]["age_hours"] < 0
    assert roles["tlm"]["refused"] == [
        {
            "frame_id": site.frame(5, "red"),
            "reason": "24% of the pixels are saturated, more than the 20% allowed; a shorter exposure is needed",
        }
    ]
    assert roles["bias"]["reason"] == "12mar20001, 12mar20002, 12mar20003: 3 frames combined"
    assert roles["lflat"]["level"] is None
    assert found["lacks"] == []
    junked = (await client.get(f"/api/archive/calibrations?frame={site.frame(15, 'red')}")).json()
    assert junked["aside"] == "junked by observer: cloud, guiding lost at 14:31"


# ---- What it keeps to itself ---------------------------------------------------------------------------------------


async def test_counts_are_of_what_is_seen(house: House) -> None:
    lea, root, visitor = await house.person("lea"), await house.person("root"), house.browser()
    detectors = 8
    theirs = len(house.frames_of(THEIR_FIELD))
    assert await total(root, "") == 30
    assert await total(lea, "") == theirs + detectors
    assert await total(visitor, "") == 0
    assert await total(lea, "frame_class=science") == len(
        [one for one in house.frames_of(THEIR_FIELD) if one.frame_class == "MFOBJECT"]
    )
    for query in (
        f"proposal={MINE}",
        f"field={MY_FIELD}",
        f"object={MY_FIELD}",
        "position=35.4986+-28.7495",
        "run=8",
    ):
        assert await total(lea, query) == 0, query
    assert await total(lea, f"proposal={THEIRS}") == theirs
    assert "1 field<" in (await lea.get("/archive?view=fields")).text
    assert "nothing here that you may see" in (await visitor.get("/archive")).text
    assert "Sign in to reduce" not in (await visitor.get("/archive")).text


async def test_whose_night_a_bias_was_taken_in_is_not_told(house: House) -> None:
    """Header calibrations carry the proposal and the pointing of the night; both are somebody's."""
    lea = await house.person("lea")
    await house.pool.execute(
        "UPDATE frame SET ra = 35.5, dec = -28.7, airmass = 1.3 WHERE frame_class = 'BIAS'"
    )
    assert await total(lea, "frame_class=BIAS") == 6
    assert await total(lea, f"frame_class=BIAS&proposal={MINE}") == 0
    assert await total(lea, "frame_class=BIAS&position=35.5+-28.7") == 0
    for item in (await lea.get("/api/archive/frames?frame_class=BIAS")).json()["items"]:
        assert (item["proposal"], item["ra"], item["dec"], item["airmass"]) == ("", None, None, None)
    text = (await lea.get("/archive/frames.csv?frame_class=BIAS")).text
    assert MINE not in text
    assert "35.5" not in text


async def test_other_peoples_frames_are_like_none(house: House) -> None:
    lea = await house.person("lea")
    mine = house.frames_of(MY_FIELD)[0].frame_id
    found = await lea.get(f"/api/archive/calibrations?frame={mine}")
    never = await lea.get("/api/archive/calibrations?frame=20200101-01jan10001-000000000000")
    assert found.status_code == never.status_code == 404
    assert found.text == never.text
    found = await lea.get(f"/archive/field?night={NIGHT}&field={MY_FIELD}&plate=1")
    never = await lea.get(f"/archive/field?night={NIGHT}&field=Nowhere&plate=1")
    assert found.status_code == never.status_code == 404
    assert found.text.replace(MY_FIELD, "X") == never.text.replace("Nowhere", "X")


async def test_calibrations_of_another_programme_have_no_name(house: House) -> None:
    """Plate, night and set-up agree, so they serve; who may not see them learns how near they are and no more."""
    lea, root = await house.person("lea"), await house.person("root")
    await house.pool.execute(
        "UPDATE frame SET plate = 0, document = jsonb_set(document, '{plate}', '0') WHERE field = $1",
        MY_FIELD,
    )
    await house.pool.execute(
        "UPDATE frame SET junked = true, junked_at = now(), junk_reason = 'x', junked_by = 'y' WHERE run = 13"
    )
    frame = next(one for one in house.frames_of(THEIR_FIELD) if one.run == 14 and one.arm == "blue").frame_id
    address = f"/api/archive/calibrations?frame={frame}"
    whole = {role["role"]: role for role in (await root.get(address)).json()["roles"]}
    assert [name.split("-")[1] for name in whole["tlm"]["source_frame_ids"]] == ["12mar10006"]
    told = {role["role"]: role for role in (await lea.get(address)).json()["roles"]}
    for role in ("tlm", "fflat"):
        assert told[role]["source_frame_ids"] == []
        assert told[role]["reason"] == "Taken from a frame of another programme."
        assert told[role]["level"] == whole[role]["level"] == 1
        assert [item["frame_id"].split("-")[1] for item in told[role]["refused"]] == ["12mar10013"]
    assert told["bias"] == whole["bias"], "what calibrates the detector serves everyone"
    text = (await lea.get(f"/archive/field?night={NIGHT}&field={THEIR_FIELD}&plate=0")).text
    assert "12mar10006" not in text
    assert "another programme" in text
    assert "12mar10006" in (await root.get(f"/archive/field?night={NIGHT}&field={THEIR_FIELD}&plate=0")).text


async def test_no_connection_is_held_while_an_export_is_read(site: Site) -> None:
    async with open_pool(site.settings, 3) as pool:
        parts = by_night(pool, ArchiveQuestion(), None, sees_all(date(2026, 3, 13)))
        assert len(await anext(parts)) == 30
        assert pool.get_idle_size() == pool.get_size()
        assert [part async for part in parts] == []
