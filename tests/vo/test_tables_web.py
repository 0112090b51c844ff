"""Tables on the pages and in the interface: who sees what, uploading, dropping."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from paws.accounts import passwords
from paws.settings import Settings
from paws.vo.audience import Audience
from paws.vo.publish import queue
from paws.vo.publish.load import publish
from paws.vo.publish.work import work_off
from tests.support.night_rows import NightRows
from tests.support.people import CHEAP, MINE, House, csrf_in, house_of, populate, send
from tests.vo.tables import made_up, wish
from tests.web.conftest import running
from web.vo.tables.publisher import PublisherDesk

CSV = b"id,ra,dec\n1,10,-30\n2,20,-31\n"


@pytest.fixture
async def house(database: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """The application with people, and an empty archive."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords._hash_of_nothing.cache_clear()
    # Uploads are worked off by the tests themselves.
    monkeypatch.setattr(PublisherDesk, "run", lambda _self: asyncio.Event().wait())
    await populate(database)
    async with house_of(database, NightRows()) as found:
        yield found
    passwords._hash_of_nothing.cache_clear()


async def account(house: House, name: str) -> int:
    return int(await house.pool.fetchval("SELECT account_id FROM account WHERE name = $1", name))


async def put(house: House, name: str, **audience: Any) -> None:
    async with house.pool.acquire() as connection:
        await publish(connection, house.settings, wish(name, audience=Audience(**audience)), made_up())


async def upload(
    client: httpx.AsyncClient, content: bytes = CSV, name: str = "stars", metadata: bytes = b"", **fields: str
) -> httpx.Response:
    token = csrf_in((await client.get("/tables/new")).text)
    files = {"file": ("stars.csv", content)} | ({"metadata": ("meta.csv", metadata)} if metadata else {})
    return await client.post("/tables/new", data={"csrf": token, "name": name, **fields}, files=files)


async def names(client: httpx.AsyncClient) -> set[str]:
    found = (await client.get("/api/tables")).json()["items"]
    return {item["name"] for item in found if item["published_at"]}


async def test_tables_are_there_for_those_who_see_them_and_for_nobody_else(house: House) -> None:
    await put(house, "gama.sources")
    await put(house, "ours.targets", proposal=MINE)
    await put(house, "user_mia.mine", account=await account(house, "mia"))
    seen = {
        None: {"gama.sources"},
        "theo": {"gama.sources"},
        "mia": {"gama.sources", "ours.targets", "user_mia.mine"},
        "root": {"gama.sources", "ours.targets"},
    }
    everything = {"gama.sources", "ours.targets", "user_mia.mine"}
    for who, expected in seen.items():
        client = house.browser() if who is None else await house.person(who)
        assert await names(client) == expected, who
        page = (await client.get("/tables")).text
        vosi = (await client.get("/tap/tables")).text
        listed = (
            await client.get("/tap/sync", params=_asked("SELECT table_name FROM TAP_SCHEMA.tables"))
        ).text
        for name in everything:
            assert (name in page) == (name in expected), (who, name)
            assert (name in listed) == (name in expected), (who, name)
            assert (name in vosi) == (name in expected), (who, name)
            status = 200 if name in expected else 404
            assert (await client.get(f"/tables/{name}")).status_code == status
            assert (await client.get(f"/api/tables/{name}")).status_code == status
            answer = await client.get("/tap/sync", params=_asked(f"SELECT count(*) AS n FROM {name}"))
            assert (answer.text.split() == ["n", "3"]) == (name in expected), answer.text
        assert ("user_mia" in vosi) == (who == "mia")
        hidden = (await client.get("/tables/user_mia.mine")).text.replace("user_mia.mine", "user_mia.none")
        if who != "mia":
            assert hidden == (await client.get("/tables/user_mia.none")).text


def _asked(query: str) -> dict[str, str]:
    return {"LANG": "ADQL", "FORMAT": "csv", "QUERY": query}


async def test_a_page_of_a_table(house: House) -> None:
    await put(house, "gama.sources")
    page = (await house.browser().get("/tables/Gama.Sources")).text
    assert "Stars of nowhere" in page
    assert "DISTANCE(POINT(ra, dec)" in page
    assert "stars.csv" not in page
    assert "command line" not in page
    root = await house.person("root")
    page = (await root.get("/tables/gama.sources")).text
    assert "stars.csv, by command line" in page
    assert "1 row has no position" in page
    for path in ("/tables/nothing", "/tables/a.b", "/tables/tap_schema.tables%20", "/tables/%00"):
        assert (await root.get(path)).status_code == 404, path
    assert (await root.get("/tables/tap_schema.columns")).status_code == 200


async def test_the_example_of_every_table_is_a_query_that_works(house: House) -> None:
    await put(house, "gama.sources")
    mia = await house.person("mia")
    for table in (await mia.get("/api/tables")).json()["items"]:
        page = (await mia.get(f"/tables/{table['name']}")).text
        example = html.unescape(page.partition('aria-label="An example">')[2].partition("</pre>")[0])
        assert example.startswith("SELECT TOP 100 "), table["name"]
        answer = await mia.get("/tap/sync", params=_asked(example))
        assert answer.status_code == 200, (example, answer.text)
        found = answer.text.splitlines()
        assert found[0].replace('"', "").split(",")[0] in example, (example, answer.text)
        assert len(found) > 1 or table["published_at"] is None, example
    assert (await mia.get("/tables/new", params={"name": "a\0b"})).status_code == 200


async def test_somebody_publishes_a_table_of_their_own_and_drops_it(house: House) -> None:
    mia = await house.person("mia")
    metadata = b"name,description,unit\nra,Right ascension,deg\n"
    answer = await upload(mia, metadata=metadata, description="Mine & <b>yours</b>")
    assert answer.status_code == 303, answer.text
    page = (await mia.get("/tables/new")).text
    assert "waits its turn" in page
    assert 'data-open="yes"' in page
    assert await work_off(house.settings) == 1
    page = (await mia.get("/tables/new")).text
    assert "/tables/user_mia.stars" in page
    assert "1 of 50" in page
    assert "&lt;b&gt;yours" in (await mia.get("/tables/user_mia.stars")).text
    assert (await mia.get("/api/tables/user_mia.stars")).json()["column_list"][1][
        "description"
    ] == "Right ascension"
    again = await upload(mia)
    assert again.status_code == 422
    assert "There is a table user_mia.stars already" in again.text
    assert (await upload(mia, replace="yes")).status_code == 303
    assert await work_off(house.settings) == 1
    # Nobody else can drop it, or learn of it by trying.
    for who in ("theo", "root"):
        other = await house.person(who)
        answer = await send(other, "/tables/user_mia.stars/drop", "/account")
        assert answer.status_code == 404, who
        assert "user_mia" not in (await other.get("/tables/new")).text.replace("user_mia@", "")
    assert (await send(mia, "/tables/user_mia.stars/drop", "/tables/user_mia.stars")).status_code == 303
    assert await names(mia) == set()
    audit = [row["action"] for row in await house.pool.fetch("SELECT action FROM audit WHERE actor = 'mia'")]
    assert audit.count("table published") == 2
    assert audit.count("table dropped") == 1


async def test_what_people_may_not_publish(house: House) -> None:
    mia, root = await house.person("mia"), await house.person("root")
    for fields in (
        {"name": "gama.stars"},
        {"name": "user_theo.stars"},
        {"audience": "everybody", "name": "gama.stars"},
        {"audience": "proposal", "proposal": MINE, "name": "gama.stars"},
        {"name": "a;b"},
        {"name": ""},
        {"description": "x" * 4001},
    ):
        assert (await upload(mia, **fields)).status_code == 422, fields
    assert (await upload(mia, b"")).status_code == 422
    for fields in ({"name": "user_mia.stars"}, {"name": "ivoa.obscore"}, {"name": "stars"}):
        assert (await upload(root, **fields)).status_code == 422, fields
    assert (await upload(root, name="gama.stars", audience="proposal", proposal=MINE)).status_code == 303
    assert await house.pool.fetchval("SELECT count(*) FROM tap_publication") == 1
    assert len(list(queue.uploads_dir(house.settings).iterdir())) == 1
    nobody = house.browser()
    assert (await nobody.get("/tables/new")).status_code == 401
    none = house.settings.model_copy(update={"tap_personal_size": 0})
    house.app.state.web.settings = none
    assert (await mia.get("/tables/new")).status_code == 403
    assert 'value="personal"' not in (await root.get("/tables/new")).text
    house.app.state.web.settings = house.settings
    await put(house, "gama.sources")
    answer = await send(mia, "/tables/gama.sources/drop", "/account")
    assert answer.status_code == 403


async def test_forms_of_others_and_forms_that_are_broken(house: House) -> None:
    mia = await house.person("mia")
    files = {"file": ("stars.csv", CSV)}
    assert (
        await mia.post("/tables/new", data={"csrf": "0" * 64, "name": "a"}, files=files)
    ).status_code == 403
    assert (await mia.post("/tables/new", data={"name": "a"})).status_code == 415
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await mia.post("/tables/new", content=b"--x\r\nnonsense", headers=kind)).status_code in (400, 403)
    other = {"Origin": "https://elsewhere.example"}
    assert (await mia.post("/tables/new", data={"name": "a"}, files=files, headers=other)).status_code == 403
    assert (await mia.post("/tables/user_mia.a/drop")).status_code == 415
    assert list(queue.uploads_dir(house.settings).iterdir()) == []


async def test_uploads_are_bounded_while_they_arrive(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.vo.tables.service.MEGABYTE", 100)
    mia = await house.person("mia")
    most = 4 * house.settings.tap_personal_size * 100
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * most:
            sent += 100_000
            yield b"1" * 100_000

    headers = {"Content-Type": "text/csv"}
    answer = await mia.post("/api/tables?name=stars", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert sent < 10 * most
    token = csrf_in((await mia.get("/tables/new")).text)
    large = {"file": ("stars.csv", b"1" * (most + 6_000_000))}
    answer = await mia.post("/tables/new", data={"csrf": token, "name": "a"}, files=large)
    assert answer.status_code == 413
    assert list(queue.uploads_dir(house.settings).iterdir()) == []
    monkeypatch.setattr(queue, "MOST_WAITING", 1)
    assert (await mia.post("/api/tables?name=a", content=CSV, headers=headers)).status_code == 200
    answer = await mia.post("/api/tables?name=b", content=CSV, headers=headers)
    assert answer.status_code == 409
    assert "wait" in answer.json()["detail"]


async def test_programs_upload_and_drop(house: House) -> None:
    mia = await house.person("mia")
    headers = {"Content-Type": "application/octet-stream"}
    answer = await mia.post(
        "/api/tables?name=stars&file=stars.csv&description=Mine", content=CSV, headers=headers
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["table"] == "user_mia.stars"
    assert answer.json()["state"] == "waiting"
    assert await work_off(house.settings) == 1
    found = (await mia.get("/api/tables")).json()
    assert [item["state"] for item in found["uploads"]] == ["published"]
    assert (await (await house.person("theo")).get("/api/tables")).json()["uploads"] == []
    for path, content, kind, status in (
        ("/api/tables", CSV, "text/csv", 422),
        ("/api/tables?name=a;b", CSV, "text/csv", 422),
        ("/api/tables?name=stars", CSV, "text/csv", 409),
        ("/api/tables?name=select", CSV, "text/csv", 409),
        ("/api/tables?name=b", b"", "text/csv", 422),
        ("/api/tables?name=b&audience=all", CSV, "text/csv", 422),
        ("/api/tables?name=b", CSV, "text/plain", 415),
        ("/api/tables?name=b", CSV, "multipart/form-data", 415),
        ("/api/tables/user_mia.nothing/drop", b"", "text/csv", 404),
        ("/api/tables/ivoa.obscore/drop", b"", "text/csv", 403),
    ):
        answer = await mia.post(path, content=content, headers={"Content-Type": kind})
        assert answer.status_code == status, (path, answer.text)
    assert (await house.browser().post("/api/tables?name=a", content=CSV, headers=headers)).status_code == 401
    assert (await mia.post("/api/tables/user_mia.stars/drop")).json() == {"name": "user_mia.stars"}
    assert await names(mia) == set()
    assert list(queue.uploads_dir(house.settings).iterdir()) == []


async def test_two_people_whose_schemas_would_be_called_alike(house: House) -> None:
    await house.pool.execute("UPDATE account SET name = 'mi.a' WHERE name = 'theo'")
    await house.pool.execute("UPDATE account SET name = 'mi_a' WHERE name = 'lea'")
    for who in ("mi.a", "mi_a"):
        assert (await upload(await house.person(who))).status_code == 303
        assert await work_off(house.settings) == 1
    schemas = {
        row[0]
        for row in await house.pool.fetch("SELECT schema_name FROM tap_schema.schemas WHERE digest IS NULL")
    }
    assert schemas == {"user_mi_a", f"user_mi_a_{await account(house, 'mi_a')}"}


async def test_a_table_that_is_replaced_stays_whose_it_is(house: House) -> None:
    await put(house, "ours.targets", proposal=MINE)
    root = await house.person("root")
    page = (await root.get("/tables/new?name=ours.targets")).text
    assert 'value="ours.targets"' in page
    assert 'value="proposal" checked' in page
    assert f'value="{MINE}"' in page
    headers = {"Content-Type": "text/csv"}
    answer = await root.post("/api/tables?name=ours.targets&replace=true", content=CSV, headers=headers)
    assert answer.status_code == 200, answer.text
    assert await work_off(house.settings) == 1
    assert (await root.get("/api/tables/ours.targets")).json()["seen_by"] == f"members of {MINE}"
    theo = await house.person("theo")
    assert 'value="ours.targets"' not in (await theo.get("/tables/new?name=ours.targets")).text


async def test_where_nobody_has_to_sign_in_everybody_publishes_for_everybody(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PublisherDesk, "run", lambda _self: asyncio.Event().wait())
    async with running(database) as (_app, client):
        page = (await client.get("/tables/new")).text
        assert "everybody" in page
        assert "you alone" not in page
        assert (await upload(client, name="stars")).status_code == 422  # no schema, and nobody's own
        assert (await upload(client, name="gama.stars")).status_code == 303
        assert await work_off(database) == 1
        assert "gama.stars" in await names(client)
        assert (await send(client, "/tables/gama.stars/drop", "/tables/gama.stars")).status_code == 303
        assert await names(client) == set()
