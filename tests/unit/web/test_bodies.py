"""Bodies of requests: no larger than they may be, and never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from web import bodies
from web.bodies import BodyError, BrokenFormError, TooLargeError, fields, whole

LARGEST = 1000


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def read(request: Request) -> JSONResponse:
        try:
            if request.url.path == "/form":
                return JSONResponse(await fields(request, LARGEST, 3, "Send less."))
            return JSONResponse(len(await whole(request, LARGEST, "Send less.")))
        except HTTPException as error:
            return JSONResponse(error.detail, error.status_code)

    app = Starlette(routes=[Route("/{name}", read, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://paws") as found:
        yield found


async def in_parts(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100


@pytest.mark.parametrize(
    ("count", "status"), [(10, HTTPStatus.OK), (11, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)]
)
async def test_what_does_not_say_its_size_is_counted(client, count, status):
    answer = await client.post("/body", content=in_parts(count))
    assert answer.status_code == status
    assert answer.json() == (
        1000 if status == HTTPStatus.OK else "More than 1,000 bytes were sent. Send less."
    )


@pytest.mark.parametrize("announced", ["1001", "9" * 5000])
async def test_what_announces_too_much_is_not_read(client, announced):
    read = []

    async def watched() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"x"

    answer = await client.post("/body", content=watched(), headers={"Content-Length": announced})
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert read == []


async def test_what_stops_is_given_up(client, monkeypatch):
    monkeypatch.setattr(bodies, "SILENCE", 0.01)

    async def stopping() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)

    answer = await client.post("/body", content=stopping())
    assert answer.status_code == HTTPStatus.REQUEST_TIMEOUT
    assert "try again" in answer.json()


async def test_who_goes_away_while_sending_is_no_failure():
    messages = iter([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, object]:
        return next(messages)

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(BodyError) as caught:
        await whole(request, LARGEST)
    assert caught.value.status_code == HTTPStatus.BAD_REQUEST


async def test_fields_are_read(client):
    answer = await client.post("/form", content=b"a=%C3%A4&b=&a=2")
    assert answer.json() == [["a", "ä"], ["b", ""], ["a", "2"]]


@pytest.mark.parametrize("sent", [b"a=%ff", b"a=\xff", b"a=1&b=2&c=3&d=4", b"a=%00", b"%00=a"])
async def test_forms_that_cannot_be_read_are_told(client, sent):
    answer = await client.post("/form", content=sent)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json().startswith("The form cannot be read: ")


def test_sizes_are_told_as_people_say_them():
    assert TooLargeError(32_000_000).detail == "More than 32 MB were sent."
    assert BrokenFormError("its end is missing").status_code == 400
