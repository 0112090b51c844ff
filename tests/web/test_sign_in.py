"""Signing in, sessions and forms; and those who try without."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import Route

from paws.accounts.secrets import digest
from paws.settings import load_settings
from tests.support.night_plan import NIGHT
from tests.support.people import (
    PASSWORD,
    House,
    csrf_in,
    sees,
    send,
    sign_in,
)
from web.accounts.forms import safe_target
from web.vo.paths import is_vo


async def test_sign_in_and_out(house: House) -> None:
    client = house.browser()
    found = await sign_in(client, " LEA ", target="/products?arm=blue")
    assert (found.status_code, found.headers["location"]) == (303, "/products?arm=blue")
    cookie = next(line for line in found.headers.get_list("set-cookie") if line.startswith("paws_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert found.headers["cache-control"] == "no-store"
    assert await sees(client) > 0
    secret = client.cookies["paws_session"]
    rows = await house.pool.fetch("SELECT session_hash FROM web_session")
    assert [row["session_hash"] for row in rows] == [digest(secret)], "the database has no secret"
    await send(client, "/sign-out", "/")
    assert await sees(client) == 0
    thief = house.browser()
    thief.cookies.set("paws_session", secret)
    assert await sees(thief) == 0, "a session that has ended is of no use to anyone"


async def test_session_is_new_at_sign_in(house: House) -> None:
    client = house.browser()
    await client.get("/sign-in")
    client.cookies.set("paws_session", "chosen-by-an-attacker", domain="paws.local")
    await sign_in(client, "lea")
    assert (
        await house.pool.fetchval(
            "SELECT count(*) FROM web_session WHERE session_hash = $1", digest("chosen-by-an-attacker")
        )
        == 0
    )
    first = await house.pool.fetchval("SELECT session_hash FROM web_session")
    page = await client.get("/account")
    form = {"csrf": csrf_in(page.text), "name": "lea", "password": PASSWORD}
    assert (await client.post("/sign-in", data=form)).status_code == 303
    rows = await house.pool.fetch("SELECT session_hash FROM web_session")
    assert len(rows) == 1
    assert rows[0]["session_hash"] != first


async def test_sessions_end_by_themselves(house: House) -> None:
    client = await house.person("lea")
    for _ in range(3):
        house.clock.now += timedelta(hours=11)
        assert await sees(client) > 0, "used within the time"
    house.clock.now += timedelta(hours=13)
    assert await sees(client) == 0, "idle"
    client = await house.person("lea")
    for _ in range(30):
        house.clock.now += timedelta(hours=11.5)
        await sees(client)
    assert await sees(client) == 0, "too old, though used"


async def test_https_binds_cookies_to_the_host(house: House) -> None:
    transport = httpx.ASGITransport(house.app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://paws") as client:
        found = await sign_in(client, "lea")
    cookies = [line for line in found.headers.get_list("set-cookie") if "paws_session" in line]
    assert cookies[0].startswith("__Host-paws_session=")
    assert "Secure" in cookies[0]


@pytest.mark.parametrize("name", ["lea", "nobody-of-that-name", "' OR 1=1 --", "x" * 5000, "lea\x00"])
async def test_wrong_name_and_wrong_password_sound_alike(house: House, name: str) -> None:
    client = house.browser()
    found = await sign_in(client, name, "not the password")
    if "\x00" in name:
        assert found.status_code == 400
        return
    assert found.status_code == 401
    assert "Name and password do not fit." in found.text


async def test_unknown_names_take_as_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[bool] = []
    whole = type(house.app.state.web.passwords).verify

    async def counted(self: Any, stored: str | None, password: str) -> bool:
        verified.append(stored is not None)
        return await whole(self, stored, password)

    monkeypatch.setattr(type(house.app.state.web.passwords), "verify", counted)
    await house.pool.execute("UPDATE account SET disabled_at = now() WHERE name = 'theo'")
    for name in ("lea", "nobody", "theo"):
        found = await sign_in(house.browser(), name, "not the password")
        assert found.status_code == 401
    assert verified == [True, False, False], "one hash is computed in any case"
    assert (await sign_in(house.browser(), "theo")).status_code == 401, "disabled"


async def test_tries_are_limited_by_name_and_address(house: House) -> None:
    client = house.browser("198.51.100.1")
    answers = [(await sign_in(client, "lea", "wrong wrong")).status_code for _ in range(10)]
    assert answers == [401] * 8 + [429] * 2
    assert (await sign_in(client, "lea")).status_code == 429, "the right one too: it may be the guess"
    assert (await sign_in(house.browser("198.51.100.2"), "lea")).status_code == 303, (
        "her own place is not shut"
    )
    for number in range(40):
        found = await sign_in(client, f"somebody{number}", "wrong wrong")
    assert found.status_code == 429, "many names from one address"
    house.clock.now += timedelta(minutes=16)
    assert (await sign_in(client, "lea")).status_code == 303


async def test_forms_of_other_sites_are_refused(house: House) -> None:
    client = await house.person("root")
    token = csrf_in((await client.get("/people")).text)
    other = await house.person("lea")
    theirs = csrf_in((await other.get("/account")).text)
    form = {"name": "evil", "administrator": "yes", "email": ""}
    for fields, headers in (
        (form, {}),
        ({**form, "csrf": ""}, {}),
        ({**form, "csrf": "0" * 64}, {}),
        ({**form, "csrf": theirs}, {}),
        ({**form, "csrf": token}, {"Origin": "https://evil.example"}),
        ({**form, "csrf": token}, {"Origin": "null"}),
        ({**form, "csrf": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({**form, "csrf": token}, {"Sec-Fetch-Site": "same-site"}),
    ):
        found = await client.post("/people", data=fields, headers=headers)
        assert found.status_code == 403, (fields, headers)
    found = await client.post("/people", json={**form, "csrf": token})
    assert found.status_code == 415
    assert await house.pool.fetchval("SELECT count(*) FROM account WHERE name = 'evil'") == 0
    same = {"Origin": "http://paws", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/people", data={**form, "csrf": token}, headers=same)).status_code == 200


async def test_every_form_needs_proof_of_its_page(house: House) -> None:
    client = await house.person("root")
    paths = [
        re.sub(r"\{\w+(:\w+)?\}", "0" * 16, route.path.replace("{night}", NIGHT))
        for route in house.app.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
    ]
    # What programs send needs none, but no browser may be made to send it by a page of another site.
    of_programs = {path: path.startswith("/api/") or is_vo(path) or path == "/oai" for path in paths}
    forms, programs = ([path for path in paths if of_programs[path] is one] for one in (False, True))
    assert len(forms) >= 14
    assert programs
    for path in forms:
        form = {"csrf": "0" * 64, "account": "1", "change": "disable"}
        found = await client.post(path, data=form)
        if found.status_code == 415:
            # A form that takes files.
            found = await client.post(path, data=form, files={"file": ("t.csv", b"a\n1\n")})
        assert found.status_code == 403, path
    for path in programs:
        found = await client.post(path, json={}, headers={"Origin": "https://evil.example"})
        assert found.status_code == 403, path
        assert "another site" in found.text


async def test_huge_forms_are_refused(house: House) -> None:
    client = house.browser()
    token = csrf_in((await client.get("/sign-in")).text)
    found = await client.post("/sign-in", data={"csrf": token, "name": "x" * 70_000})
    assert found.status_code == 413
    many = "&".join(f"a{number}=1" for number in range(3000))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/sign-in", content=many, headers=headers)).status_code == 400
    assert (await client.post("/sign-in", content=b"\xff\xfe=%zz", headers=headers)).status_code == 400
    long = await client.post("/sign-in", data={"csrf": token, "name": "lea", "password": "x" * 60_000})
    assert long.status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie:x=1\r\n",
        "",
        "evil",
        "/é",
        "/" + "x" * 2000,
    ],
)
async def test_nobody_is_led_elsewhere_after_signing_in(house: House, target: str) -> None:
    assert safe_target(target) in ("/", target if target.startswith("/%0d") and "\r" not in target else "/")
    found = await sign_in(house.browser(), "lea", target=target)
    assert found.headers["location"] == "/"
    look = await house.browser().get("/look", params={"theme": "red", "next": target})
    assert look.headers["location"] == "/"


async def test_forged_cookies_and_tokens_open_nothing(house: House) -> None:
    for value in ("x", "a" * 43, "'; DROP TABLE account; --", "é" * 20, "a" * 4000):
        client = house.browser()
        client.headers["Cookie"] = f"paws_session={quote(value)}; paws_share={quote(value)}.{quote(value)}"
        assert await sees(client) == 0
        assert (await client.get("/account")).status_code == 401
    for header in (
        "Bearer x",
        "Bearer paws_x",
        "Basic cm9vdDpyb290",
        "Bearer",
        "paws_x",
        "Bearer " + "p" * 9000,
    ):
        found = await house.browser().get("/api/frames", headers={"Authorization": header})
        assert found.status_code == 401, header
        assert found.headers["content-type"] == "application/problem+json"
        assert found.headers["www-authenticate"].startswith("Bearer")


async def test_lost_database_is_told_before_anyone_is_believed(house: House) -> None:
    lea = await house.person("lea")

    class Away:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionRefusedError("gone")

    pool, house.app.state.web.pool = house.pool, Away()
    found = await lea.get("/")
    assert (found.status_code, found.headers["retry-after"]) == (503, "5")
    assert found.headers["content-security-policy"]
    house.app.state.web.pool = pool


def test_open_is_for_this_machine_alone() -> None:
    from paws.errors import ConfigurationError

    for host in ("0.0.0.0", "192.0.2.1", "::", "paws.example.org"):
        with pytest.raises(ConfigurationError, match="PAWS_ACCESS=accounts"):
            load_settings(web_host=host).check_access()
        load_settings(web_host=host, access="accounts").check_access()
        load_settings(web_host=host, access="open-to-everyone").check_access()
    for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost"):
        load_settings(web_host=host).check_access()


async def test_open_is_not_served_through_proxies_or_foreign_names(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).status_code == 200
    for headers in (
        {"X-Forwarded-For": "1.2.3.4"},
        {"Forwarded": "for=1.2.3.4"},
        {"Host": "rebound.example"},
    ):
        found = await client.get("/", headers=headers)
        assert found.status_code == 403, headers
        assert "FLD195" not in found.text
    for host in ("127.0.0.1:8080", "[::1]:8080", "localhost", "telescope", "a.localhost"):
        assert (await client.get("/", headers={"Host": host})).status_code == 200, host
    for path in ("/sign-in", "/account", "/forgot"):
        assert (await client.get(path)).status_code == 404, path
