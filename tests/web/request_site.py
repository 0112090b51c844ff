"""Ways to ask for reductions: by the form of the page, and as a program with a token."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.support.people import House, csrf_in, make_token, shown

NEW = "/requests/new"


def science(house: House, field: str) -> list[str]:
    return [frame.frame_id for frame in house.frames_of(field) if frame.frame_class.is_science]


async def form_of(client: httpx.AsyncClient, frames: list[str]) -> str:
    found = await client.get(NEW, params=[("frame", one) for one in frames])
    assert found.status_code == 200, found.text
    return found.text


async def fill_in(client: httpx.AsyncClient, frames: list[str], **fields: Any) -> httpx.Response:
    html = await form_of(client, frames)
    nonce = re.search(r'name="nonce" value="([^"]+)"', html)
    assert nonce
    items = [("csrf", csrf_in(html)), ("nonce", nonce.group(1)), ("combine", "yes"), ("splice", "yes")]
    items += [("frame", one) for one in frames]
    values = {name: value for name, value in fields.items() if name != "without"}
    items = [item for item in items if item[0] not in values] + [
        (name, str(value)) for name, value in values.items()
    ]
    items += [("without", one) for one in fields.get("without", ())]
    return await client.post(
        "/requests",
        content=urlencode(items),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


async def api_of(house: House, name: str, scope: str = "write") -> httpx.AsyncClient:
    person = await house.person(name)
    token = shown((await make_token(person, scope=scope)).text)
    return house.browser(Authorization=f"Bearer {token}")


async def ask(client: httpx.AsyncClient, **sent: Any) -> httpx.Response:
    return await client.post("/api/requests", json=sent)
