"""Answers that are written while they are sent, and those whose reader goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from web.vo.problems import BadRequestError
from web.vo.tap.bell import Bell
from web.vo.tap.sending import Streamed


class Client:
    """Who reads an answer, and may go."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        self.goes = asyncio.Event()

    async def receive(self) -> dict:
        await self.goes.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    def header(self, name: bytes) -> bytes | None:
        return dict(self.sent[0]["headers"]).get(name)


class Pieces:
    """Pieces of an answer; knows whether it was closed."""

    def __init__(self, *pieces: bytes | Exception | asyncio.Event) -> None:
        self._pieces = pieces
        self.closed = False

    async def generator(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self._pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    yield piece
        finally:
            self.closed = True


async def sent(client: Client, pieces: Pieces, deadline: float = 10) -> None:
    await Streamed(pieces.generator(), "text/csv", deadline)({"type": "http"}, client.receive, client.send)


async def test_a_short_answer_has_its_length():
    client, pieces = Client(), Pieces(b"n\n1\n")
    await sent(client, pieces)
    assert (client.body, client.header(b"content-length"), len(client.sent)) == (b"n\n1\n", b"4", 2)
    assert not client.sent[-1].get("more_body")


@pytest.mark.parametrize("first", [b"x" * 10, b"x" * 100_000])
async def test_a_long_one_is_whole_and_has_none(first):
    client, pieces = Client(), Pieces(first, b"y" * 10, b"z")
    await sent(client, pieces)
    assert client.body == first + b"y" * 10 + b"z"
    assert client.header(b"content-length") is None
    assert pieces.closed


async def test_what_fails_before_the_first_piece_is_no_answer_yet():
    client, pieces = Client(), Pieces(BadRequestError("no such table"))
    with pytest.raises(BadRequestError):
        await sent(client, pieces)
    assert client.sent == []


@pytest.mark.parametrize("before", [(), (b"x" * 100_000,)])
async def test_work_ends_when_nobody_reads_on(before):
    client, pieces = Client(), Pieces(*before, asyncio.Event())
    reading = asyncio.create_task(sent(client, pieces))
    await asyncio.sleep(0)
    client.goes.set()
    await reading
    assert pieces.closed


async def test_an_answer_that_is_not_read_in_time_is_broken_off():
    client, pieces = Client(), Pieces(b"x" * 100_000, asyncio.Event())
    with pytest.raises(TimeoutError):
        await sent(client, pieces, deadline=0.05)
    assert pieces.closed
    assert client.sent[-1]["more_body"]


async def test_who_waits_for_a_job_is_woken_and_leaves_nothing():
    bell = Bell()
    waiting = asyncio.create_task(bell.wait("a", 60))
    await asyncio.sleep(0)
    bell.ring("b")
    bell.ring("a")
    await asyncio.wait_for(waiting, 5)
    await bell.wait("a", 0.001)
    assert bell._waiting == {}
