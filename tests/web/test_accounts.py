"""Signing in, passwords, tokens, share links, administrators; and those who try without."""

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
from tests.support.people import (
    MINE,
    MY_FIELD,
    PASSWORD,
    THEIR_FIELD,
    THEIRS,
    House,
    csrf_in,
    send,
    sign_in,
)
from web.accounts.forms import safe_target


async def sees(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/frames?limit=1")).json()["total"])


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
        route.path
        for route in house.app.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
    ]
    assert len(paths) >= 14
    for path in paths:
        found = await client.post(path, data={"csrf": "0" * 64, "account": "1", "change": "disable"})
        assert found.status_code == 403, path


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


async def make_token(client: httpx.AsyncClient, **form: Any) -> httpx.Response:
    return await send(
        client, "/account/tokens", "/account", **{"name": "script", "scope": "read", "days": "30", **form}
    )


def shown(html: str) -> str:
    found = re.search(r'value="(paws_[\w-]+|http://paws/[^"]+)" data-select', html)
    assert found
    return found.group(1)


async def test_tokens_see_what_their_owner_sees(house: House) -> None:
    lea = await house.person("lea")
    page = await make_token(lea)
    token = shown(page.text)
    assert token not in (await lea.get("/account")).text, "shown once"
    row = await house.pool.fetchrow("SELECT token_hash, hint FROM api_token")
    assert row["token_hash"] == digest(token)
    program = house.browser(Authorization=f"Bearer {token}")
    assert await sees(program) == await sees(lea) > 0
    assert (await program.get("/account")).status_code == 401, "a token is no person"
    assert (await program.get("/people")).status_code == 404
    assert (await program.get("/metrics")).status_code == 403
    house.clock.now += timedelta(days=31)
    assert (await program.get("/api/frames")).status_code == 401, "expired"
    house.clock.now -= timedelta(days=31)
    number = await house.pool.fetchval("SELECT token_id FROM api_token")
    theo = await house.person("theo")
    assert (await send(theo, "/account/tokens/revoke", "/account", token=number)).status_code == 404, (
        "not theirs"
    )
    assert (await send(lea, "/account/tokens/revoke", "/account", token=number)).status_code == 303
    assert (await program.get("/api/frames")).status_code == 401, "revoked"


@pytest.mark.parametrize(
    "form",
    [
        {"scope": "everything"},
        {"scope": []},
        {"scope": "metrics"},
        {"days": "0"},
        {"days": "100000"},
        {"days": "-1"},
        {"days": "٣"},
        {"name": ""},
        {"name": "x" * 100},
        {"name": "a\nb"},
    ],
)
async def test_tokens_that_cannot_be(house: House, form: dict[str, Any]) -> None:
    assert (await make_token(await house.person("lea"), **form)).status_code == 422


async def test_token_for_figures_reads_figures_alone(house: House) -> None:
    token = shown((await make_token(await house.person("root"), scope="metrics")).text)
    program = house.browser(Authorization=f"Bearer {token}")
    assert (await program.get("/metrics")).status_code == 200
    assert await sees(program) == 0
    await house.pool.execute("UPDATE account SET administrator = false")
    assert (await program.get("/metrics")).status_code == 403


async def make_share(client: httpx.AsyncClient, **form: Any) -> httpx.Response:
    return await send(
        client, "/account/shares", **{"proposal": THEIRS, "days": "30", "products": "", "note": "", **form}
    )


async def test_share_link_shows_its_field_and_no_more(house: House) -> None:
    theo, guest = await house.person("theo"), house.browser()
    link = shown((await make_share(theo, field=THEIR_FIELD, note="for Ann")).text)
    found = await guest.get(link)
    assert (found.status_code, found.headers["location"]) == (303, "/shared")
    assert THEIR_FIELD in (await guest.get("/shared")).text
    items = (await guest.get("/api/frames?limit=1000")).json()["items"]
    assert {item["field"] for item in items} == {THEIR_FIELD}
    assert len(items) == len(house.frames_of(THEIR_FIELD))
    (product, *_more) = (await guest.get("/api/products?limit=1000")).json()["items"]
    assert (await guest.get(f"/products/{product['product_id']}/file")).status_code == 200
    page = (await guest.get(f"/products/{product['product_id']}")).text
    assert MY_FIELD not in page
    for path in ("/account/tokens", "/account/shares", "/people"):
        assert (await guest.post(path, data={})).status_code in (401, 403, 404), path
    root = await house.person("root")
    number = await house.pool.fetchval("SELECT share_id FROM share_link")
    mia = await house.person("mia")
    assert (await send(mia, "/account/shares/revoke", "/account/shares", share=number)).status_code == 404
    assert await sees(guest) > 0
    assert (await send(root, "/account/shares/revoke", "/account/shares", share=number)).status_code == 303
    assert await sees(guest) == 0
    assert (await house.browser().get(link)).status_code == 404


async def test_share_link_of_one_product(house: House) -> None:
    theo, guest = await house.person("theo"), house.browser()
    (product, other, *_more) = (await theo.get(f"/api/products?field={THEIR_FIELD}&spectra=true")).json()[
        "items"
    ]
    link = shown((await make_share(theo, products=product["product_id"])).text)
    await guest.get(link)
    items = (await guest.get("/api/products?limit=1000&current=false")).json()["items"]
    assert [item["product_id"] for item in items] == [product["product_id"]]
    for path in (
        f"/products/{product['product_id']}",
        f"/products/{product['product_id']}/file",
        f"/api/products/{product['product_id']}/spectra/1",
        f"/reductions/{product['job_key']}",
    ):
        assert (await guest.get(path)).status_code == 200, path
    assert (await guest.get(f"/products/{other['product_id']}")).status_code == 404
    assert await sees(guest) == 0


async def test_share_links_end(house: House) -> None:
    theo = await house.person("theo")
    link = shown((await make_share(theo, field=THEIR_FIELD, days="3")).text)
    guest = house.browser()
    await guest.get(link)
    for change, back in (
        ("UPDATE membership SET role = 'member'", "UPDATE membership SET role = 'leader'"),
        (
            "UPDATE account SET disabled_at = now() WHERE name = 'theo'",
            "UPDATE account SET disabled_at = NULL",
        ),
        (f"UPDATE frame SET proposal = '{MINE}'", f"UPDATE frame SET proposal = '{THEIRS}'"),
    ):
        assert await sees(guest) > 0
        await house.pool.execute(change)
        assert await sees(guest) == 0, change
        await house.pool.execute(back)
    house.clock.now += timedelta(days=4)
    assert await sees(guest) == 0


async def test_nobody_shares_what_is_not_theirs(house: House) -> None:
    theo, lea = await house.person("theo"), await house.person("lea")
    assert (await lea.get("/account/shares")).status_code == 403, "members do not share"
    mine = await house.pool.fetchval("SELECT product_id FROM product WHERE field = $1 LIMIT 1", MY_FIELD)
    never = "00000000000000000000-object"
    answers = [
        await make_share(theo, proposal=MINE, field=MY_FIELD),
        await make_share(theo, field=MY_FIELD),
        await make_share(theo, products=mine),
        await make_share(theo, products=never),
        await make_share(theo),
        await make_share(theo, field=THEIR_FIELD, days="1000"),
        await make_share(theo, field=THEIR_FIELD, note="a\nb"),
    ]
    assert [found.status_code for found in answers] == [422] * len(answers)
    other, gone = (re.sub(r'value="[0-9a-f-]*"', "", found.text) for found in answers[2:4])
    assert other == gone.replace(never, mine), "what is another's sounds like what is not there"
    assert await house.pool.fetchval("SELECT count(*) FROM share_link") == 0


async def test_administrators_alone_manage_people(house: House) -> None:
    for client in (house.browser(), await house.person("theo")):
        for path in ("/people", "/people/groups", "/people/audit", f"/people/group?proposal={quote(MINE)}"):
            found = await client.get(path)
            assert found.status_code in (401, 404), path
            assert "mia" not in found.text
            assert "member" not in found.text
    root = await house.person("root")
    found = await send(root, "/people", name="New.One", full_name="<b>Nora</b>", email="")
    link = shown(found.text)
    assert link.startswith("http://paws/reset?key=")
    assert "<b>Nora</b>" not in found.text
    assert "&lt;b&gt;Nora&lt;/b&gt;" in found.text
    assert (await send(root, "/people", name="new.one", email="")).status_code == 422, "taken"
    assert (await send(root, "/people", name="../x", email="")).status_code == 422
    number = await house.pool.fetchval("SELECT account_id FROM account WHERE name = 'root'")
    for change in ("disable", "plain"):
        found = await send(root, "/people/change", "/people", account=number, change=change)
        assert found.status_code == 422, "the last administrator stays"
    actions = [row["action"] for row in await house.pool.fetch("SELECT action FROM audit ORDER BY audit_id")]
    assert actions.count("account made") == 5
    assert "signed in" in actions
    assert "account made" in (await root.get("/people/audit")).text


async def test_disabled_account_is_out_at_once(house: House) -> None:
    root, lea = await house.person("root"), await house.person("lea")
    token = shown((await make_token(lea)).text)
    number = await house.pool.fetchval("SELECT account_id FROM account WHERE name = 'lea'")
    await send(root, "/people/change", "/people", account=number, change="disable")
    assert await sees(lea) == 0
    assert (
        await house.browser().get("/api/frames", headers={"Authorization": f"Bearer {token}"})
    ).status_code == 401
    await send(root, "/people/change", "/people", account=number, change="enable")
    assert await sees(lea) == 0, "the session stays ended"


async def test_password_is_reset_by_mail(house: House) -> None:
    old, client = await house.person("lea"), house.browser()
    told = [await send(client, "/forgot", who=who) for who in ("LEA@example.org", "nobody@example.org")]
    assert [found.status_code for found in told] == [200, 200]
    assert csrf_free(told[0].text) == csrf_free(told[1].text)
    (letter,) = await house.pool.fetch("SELECT recipient, body, subject FROM notification")
    assert letter["recipient"] == "lea@example.org"
    link = re.search(r"http://paws/reset\?key=[\w-]+", letter["body"])
    assert link
    path = link.group().removeprefix("http://paws")
    assert (await client.get(path)).headers["referrer-policy"] == "same-origin"
    key = path.partition("=")[2]
    new = "four red gratings"

    async def use(**form: str) -> httpx.Response:
        return await send(
            house.browser(), "/reset", path, **{"key": key, "password": new, "again": new, **form}
        )

    assert (await use(again="something else")).status_code == 422
    assert (await use(password="short", again="short")).status_code == 422
    assert (await use(password="lea@example.org!", again="lea@example.org!")).status_code == 422
    assert (await use(key="x" * 43)).status_code == 422
    assert (await use()).status_code == 303
    assert (await use()).status_code == 422, "it works once"
    assert await sees(old) == 0, "open sessions have ended"
    assert (await sign_in(house.browser(), "lea")).status_code == 401
    assert (await sign_in(house.browser(), "lea", new)).status_code == 303


def csrf_free(html: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "", html)


async def test_resets_are_limited_and_end(house: House) -> None:
    client = house.browser()
    answers = [(await send(client, "/forgot", who="lea")).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    bodies = [
        row["body"] for row in await house.pool.fetch("SELECT body FROM notification ORDER BY created_at")
    ]
    keys = [re.search(r"key=([\w-]+)", body).group(1) for body in bodies]  # type: ignore[union-attr]
    form = {"password": "four red gratings", "again": "four red gratings"}
    assert (await send(client, "/reset", "/forgot", key=keys[0], **form)).status_code == 422, (
        "a newer one counts"
    )
    house.clock.now += timedelta(hours=2)
    assert (await send(client, "/reset", "/forgot", key=keys[-1], **form)).status_code == 422, "too old"


@pytest.mark.parametrize(
    "email",
    [
        "a@b\r\nBcc: all@example.org",
        "a@b, c@d",
        "a b@c",
        "<a@b>",
        '"a"@b',
        "a@b\x00",
        "a" * 300 + "@b",
        "ä@b",
    ],
)
async def test_addresses_that_carry_more_than_an_address(house: House, email: str) -> None:
    root = await house.person("root")
    found = await send(root, "/people", name="new", email=email)
    assert found.status_code in (400, 422)
    assert await house.pool.fetchval("SELECT count(*) FROM account WHERE name = 'new'") == 0


async def test_mails_do_not_believe_the_host_header(house: House) -> None:
    client = house.browser()
    await send(client, "/forgot", who="lea")
    token = csrf_in((await client.get("/forgot")).text)
    await client.post(
        "/forgot",
        data={"csrf": token, "who": "theo"},
        headers={"Host": "evil.example", "Origin": "http://evil.example"},
    )
    bodies = [row["body"] for row in await house.pool.fetch("SELECT body FROM notification")]
    assert bodies
    assert all("evil.example" not in body for body in bodies)


async def test_password_is_changed_by_its_owner(house: House) -> None:
    lea, other = await house.person("lea"), await house.person("lea")
    form = {"password": "four red gratings", "again": "four red gratings"}
    assert (await send(lea, "/account/password", "/account", old="wrong", **form)).status_code == 422
    assert (await send(lea, "/account/password", "/account", old=PASSWORD, **form)).status_code == 303
    assert await sees(other) == 0


async def test_sessions_are_ended_by_their_owner_alone(house: House) -> None:
    lea, theo = await house.person("lea"), await house.person("theo")
    theirs = digest(theo.cookies["paws_session"]).hex()
    assert (await send(lea, "/account/sessions/end", "/account", session=theirs)).status_code == 303
    assert await sees(theo) > 0
    assert (await send(lea, "/account/sessions/end", "/account", session="zz")).status_code == 400
    other = await house.person("lea")
    await send(lea, "/account/sessions/end", "/account", session=digest(other.cookies["paws_session"]).hex())
    assert await sees(other) == 0
    assert await sees(lea) > 0


async def test_secrets_stand_in_no_log(house: House) -> None:
    from structlog.testing import capture_logs

    with capture_logs() as logged:
        lea = await house.person("lea")
        token = shown((await make_token(lea)).text)
        await lea.get("/share?key=hush-hush")
        await lea.get("/reset?key=hush-hush")
        await sign_in(house.browser(), "lea", "wrong hush-hush")
    text = str(logged) + str([dict(row) for row in await house.pool.fetch("SELECT * FROM audit")])
    assert token not in text
    assert "hush-hush" not in text
    assert lea.cookies["paws_session"] not in text
    assert PASSWORD not in text


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
