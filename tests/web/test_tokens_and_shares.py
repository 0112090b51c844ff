"""What is given to programs and to friends: tokens and share links."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from paws.accounts.secrets import digest
from tests.support.people import (
    MINE,
    MY_FIELD,
    THEIR_FIELD,
    THEIRS,
    House,
    make_token,
    sees,
    send,
    shown,
)


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
