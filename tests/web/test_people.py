"""Accounts: made, disabled, forgotten passwords, and who may manage them."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest

from paws.accounts.secrets import digest
from tests.support.people import (
    MINE,
    PASSWORD,
    House,
    csrf_in,
    make_token,
    sees,
    send,
    shown,
    sign_in,
)


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
    keys = [re.search(r"key=([\w-]+)", body).group(1) for body in bodies]  # type: ignore[union-attr]  # None fails the test as well
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
