"""Webhooks, sent for real to a receiver on this machine: signed, tried again, and never turned against our network."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from agents.requests import delivery, storage
from agents.requests.delivery import Courier
from agents.runtime import AgentContext
from tests.support.reductions import AT
from tests.support.servers import listening

REQUEST = "0123456789abcdef"
SECRET = "a secret of the request"
BODY = json.dumps({"event": "request.ended", "state": "Finished"})


@dataclass
class Receiver:
    """A program of somebody else. `answers` are the statuses that it gives, the last one for ever."""

    answers: list[bytes] = field(default_factory=lambda: [b"200 OK"])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0
    silent: bool = False
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            headers = {name.lower(): value for name, value in headers.items()}
            self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
            if self.silent:
                await reader.read()  # until the other side gives up
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            # A body without end: it is not read.
            writer.write(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 1000000000\r\n\r\nx")
            await writer.drain()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    async with listening(found.serve) as found.port:
        yield found


class Turned:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 13, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture
def clock():
    return Turned()


async def told(pool, url: str, clock: Turned) -> None:
    """A request of which something is to be told."""
    await pool.execute(
        "INSERT INTO request (request_id, who, night, engine, engine_version, parameters_version, variant, frames,"
        " submitted_at, webhook, webhook_secret) VALUES ($1, 'mia', '20260312', 'builtin', '1', 1, 'v', 1, $2, $3, $4)",
        *(REQUEST, AT, url, SECRET),
    )
    await storage.put_delivery(pool, "one", REQUEST, BODY, clock.now)
    await storage.put_delivery(pool, "one", REQUEST, BODY, clock.now)


def courier(database, pool, clock, networks=("127.0.0.0/8",), resolver=here) -> Courier:
    context = AgentContext(settings=database.model_copy(update={"webhook_networks": networks}), clock=clock)
    context.pool = pool
    return Courier(context, resolver)


async def row_of(pool):
    return await pool.fetchrow("SELECT * FROM webhook_delivery")


async def test_message_is_signed_and_sent_once(database, pool, receiver, clock):
    await told(pool, f"http://hooks.example.org:{receiver.port}/paws?x=1", clock)
    sender = courier(database, pool, clock)
    assert await sender.deliver_one()
    assert not await sender.deliver_one()
    ((headers, body),) = receiver.got
    assert headers["host"] == f"hooks.example.org:{receiver.port}"
    assert headers["paws-delivery"] == "one"
    parts = dict(item.split("=", 1) for item in headers["paws-signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert parts["v1"] == expected
    assert json.loads(body) == json.loads(BODY)
    row = await row_of(pool)
    assert (row["result"], row["next_at"], row["tries"]) == ("delivered", None, 1)
    assert await pool.fetchval("SELECT text FROM request_event") == "webhook: delivered"


async def test_receiver_that_is_away_is_tried_again_later(database, pool, receiver, clock):
    receiver.answers = [b"503 Busy", b"302 Found\r\nLocation: http://127.0.0.1:1/", b"204 No Content"]
    await told(pool, f"http://hooks.example.org:{receiver.port}/", clock)
    sender = courier(database, pool, clock)
    for wait in (10, 20):
        assert await sender.deliver_one()
        assert not await sender.deliver_one(), "not before its time"
        clock.now += timedelta(seconds=wait)
    assert await sender.deliver_one()
    assert receiver.connections == 3, "redirections are not followed"
    assert (await row_of(pool))["result"] == "delivered"


async def test_nobody_listening_is_no_answer(database, pool, receiver, clock):
    await told(pool, "http://hooks.example.org:1/", clock)
    await courier(database, pool, clock).deliver_one()
    row = await row_of(pool)
    assert (row["result"], row["tries"], row["delivered_at"]) == ("no answer", 1, None)
    assert row["next_at"] == clock.now + timedelta(seconds=10)


async def test_slow_receiver_is_not_waited_for(database, pool, receiver, clock, monkeypatch):
    monkeypatch.setattr(delivery, "DEADLINE", 0.3)
    receiver.silent = True
    await told(pool, f"http://hooks.example.org:{receiver.port}/", clock)
    await asyncio.wait_for(courier(database, pool, clock).deliver_one(), 60)
    assert (await row_of(pool))["result"] == "no answer"


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.org:{port}/", "http://127.0.0.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/"],
)
async def test_our_own_machine_is_never_told(database, pool, receiver, clock, url):
    await told(pool, url.format(port=receiver.port), clock)

    async def as_written(host: str, _port: int) -> list[str]:
        return [host if host[0].isdigit() or ":" in host else "127.0.0.1"]

    await courier(database, pool, clock, networks=(), resolver=as_written).deliver_one()
    assert receiver.connections == 0
    row = await row_of(pool)
    assert row["next_at"] is None
    assert row["result"].startswith("refused: ")
    assert "127.0.0.1 is" not in row["result"].replace("127.0.0.1 is not told", "")


async def test_name_is_resolved_once_and_its_address_is_the_one_connected_to(database, pool, receiver, clock):
    """A name that is public when it is judged and ours when it is connected to gets nowhere."""
    asked = []

    async def turning(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    await told(pool, f"http://localhost.evil.example:{receiver.port}/", clock)
    await courier(database, pool, clock, resolver=turning).deliver_one()
    assert asked == ["localhost.evil.example"]
    assert receiver.connections == 1


async def test_proxy_of_ours_is_not_asked(database, pool, receiver, clock, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await told(pool, f"http://hooks.example.org:{receiver.port}/", clock)
    await courier(database, pool, clock).deliver_one()
    assert receiver.connections == 1


async def test_courier_that_dies_leaves_the_message_to_the_next(database, pool, receiver, clock):
    await told(pool, f"http://hooks.example.org:{receiver.port}/", clock)
    taken = await storage.take_delivery(pool, clock.now, delivery.LEASE)
    assert taken is not None
    sender = courier(database, pool, clock)
    assert not await sender.deliver_one(), "it is in hand"
    clock.now += delivery.LEASE + timedelta(seconds=1)
    assert await sender.deliver_one()
    assert (await row_of(pool))["tries"] == 2


async def test_message_is_given_up_in_the_end(database, pool, receiver, clock):
    receiver.answers = [b"500 Bad"]
    await told(pool, f"http://hooks.example.org:{receiver.port}/", clock)
    sender = courier(database, pool, clock)
    while await sender.deliver_one():
        clock.now += timedelta(hours=7)
    row = await row_of(pool)
    assert row["tries"] == receiver.connections == 12
    assert row["result"].startswith("given up after 12 tries")
