"""A thousand websocket clients at one web process: its CPU time, its memory, and how late an event comes to them.

The process is a real one, with accounts, a broker and a database; a third of the clients are an administrator's, a
third a member's of one of two proposals, a third nobody's. ``BENCH_CLIENTS`` sets their number, ``BENCH_EVENTS`` that
of the events. What each client got is held against the rule of access, event by event.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from paws.accounts.secrets import digest
from paws.database import prepare_connection
from paws.embedded.broker import EmbeddedBroker
from paws.settings import Settings
from paws.status import FRAME_COLUMNS, plain
from schemas.topics import STATUS_EVENTS
from tests.benchmarks.processes import a_web_process, process_figures
from tests.support.night_plan import NIGHT
from tests.support.night_rows import write_night
from tests.support.people import MINE, THEIR_FIELD, populate

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(900)]

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "1000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "100"))
EVERY = float(os.environ.get("BENCH_EVERY", "0.5"))
LAST = f'"event {EVENTS - 1}"'.encode()


class Client(asyncio.Protocol):
    """One websocket. It keeps messages with their time, and understands them later, so as to cost little."""

    def __init__(self, kind: str, port: int, token: str) -> None:
        self.kind = kind
        self.texts: list[tuple[float, bytes]] = []
        self.lost = self.done = False
        self._buffer = bytearray()
        self._open = False
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self._hello = (
            f"GET /ws/status?night={NIGHT} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{bearer}\r\n"
        ).encode()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        at, buffer = time.monotonic(), self._buffer
        buffer += data
        if not self._open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del buffer[: end + 4]
            self._open = True
        while len(buffer) >= 2:
            size, head = buffer[1] & 127, 2
            if size == 126:
                size, head = int.from_bytes(buffer[2:4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < head + size:
                return
            kind, body = buffer[0] & 15, bytes(buffer[head : head + size])
            del buffer[: head + size]
            if kind == 1:
                self.texts.append((at, body))
                self.done = self.done or LAST in body
            elif kind == 9:
                # A pong, masked with zeros.
                self._transport.write(bytes([0x8A, 0x80 | size, 0, 0, 0, 0]) + body)

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True

    def messages(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """What came, with its time."""
        for at, body in self.texts:
            yield at, orjson.loads(body)


async def token_of(connection: Any, name: str) -> str:
    secret = f"paws_{secrets.token_urlsafe(32)}"
    await connection.execute(
        "INSERT INTO api_token (token_hash, hint, account_id, name, scopes, expires_at)"
        " SELECT $1, 'paws_', account_id, 'benchmark', '{read}', now() + interval '1 day' FROM account WHERE name = $2",
        digest(secret),
        name,
    )
    return secret


@asynccontextmanager
async def a_broker(folder: Path) -> Any:
    broker = EmbeddedBroker(folder)
    broker._begin()
    process = await asyncio.create_subprocess_exec(
        *broker.command(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while not await broker.is_ready():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
        await admin.start()
        await admin.create_topics([NewTopic(STATUS_EVENTS.name, 1, 1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=broker.address)
        await producer.start()
        yield broker, producer
        await producer.stop()
    finally:
        process.kill()
        await process.wait()


async def publish(connection: Any, producer: Any, number: int, frames: list[Any]) -> tuple[int, str, float]:
    """Announce a change as the relay does; gives its number, whose it is, and when."""
    row = frames[number % len(frames)]
    seq = await connection.fetchval("SELECT max(seq) + 1 FROM status_event")
    payload = {
        **plain({name: value for name, value in row.items() if name != "owner"}),
        "reason": f"event {number}",
    }
    event = {
        "event_id": f"bench:{number}", "night": NIGHT, "at": "2026-03-12T12:00:00Z", "event": "status", "version": 1,
        "seq": seq, "entity": "frame", "entity_id": row["frame_id"], "state": row["state"], "payload": payload,
    }  # fmt: skip
    await connection.execute(
        "INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)"
        " VALUES ($1::bigint, $1::bigint + 1000000, $2, 'frame', $3, $4, $5, now())",
        *(seq, NIGHT, row["frame_id"], row["state"], event),
    )
    at = time.monotonic()
    await producer.send_and_wait(STATUS_EVENTS.name, orjson.dumps(event), partition=0)
    return number, row["owner"], at


def part(values: list[float], share: float) -> float:
    return 1000.0 * sorted(values)[min(int(share * len(values)), len(values) - 1)]


async def test_a_thousand_clients_cost_one_process(database: Settings, tmp_path: Path) -> None:
    rows = await write_night(database, with_files=False)
    await populate(database)
    connection = await asyncpg.connect(database.require_database())
    await prepare_connection(connection)
    tokens = {
        "administrator": await token_of(connection, "root"),
        "member": await token_of(connection, "lea"),
    }
    frames = await connection.fetch(
        f"SELECT {FRAME_COLUMNS}, owner FROM frame_status WHERE night = $1 AND owner <> '*' ORDER BY run",
        NIGHT,
    )
    async with a_broker(tmp_path) as (broker, producer):
        settings = database.model_copy(update={"access": "accounts", "broker_url": broker.url})
        async with a_web_process(settings, tmp_path / "web.log") as (pid, port):
            empty = process_figures(pid)
            began = time.monotonic()
            loop = asyncio.get_running_loop()
            clients: list[Client] = []
            for number in range(CLIENTS):
                kind = ("administrator", "member", "nobody")[number % 3]
                _transport, client = await loop.create_connection(
                    lambda kind=kind: Client(kind, port, tokens.get(kind, "")), "127.0.0.1", port
                )
                clients.append(client)
            async with asyncio.timeout(120):
                while not all(client.texts for client in clients):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
            connected = time.monotonic() - began
            joined = process_figures(pid)
            await asyncio.sleep(12)  # a heartbeat, and who looks on is asked
            idle = process_figures(pid)
            sent = []
            for number in range(EVENTS):
                sent.append(await publish(connection, producer, number, frames))
                await asyncio.sleep(EVERY)
            async with asyncio.timeout(120):
                while not all(client.done for client in clients if client.kind == "administrator"):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.2)
            await asyncio.sleep(1)
            busy = process_figures(pid)
            assert not any(client.lost for client in clients)
    await connection.close()

    delays = exact(clients, sent)
    load = os.getloadavg()[0]
    report = {
        "clients": CLIENTS,
        "connected_s": round(connected, 2),
        "cpu_ms_a_client_joined": round(1000 * (joined[0] - empty[0]) / CLIENTS, 2),
        "memory_mb": {"empty": round(empty[1]), "joined": round(joined[1]), "after": round(busy[1])},
        "kb_a_client": round(1000 * (busy[1] - empty[1]) / CLIENTS, 1),
        "cpu_idle_percent": round(100 * (idle[0] - joined[0]) / 12, 1),
        "cpu_ms_an_event": round(1000 * (busy[0] - idle[0]) / EVENTS, 1),
        "cpu_us_a_message": round(1e6 * (busy[0] - idle[0]) / max(len(delays), 1), 1),
        "delay_ms": {name: round(part(delays, share), 1) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))},
        "messages": len(delays),
        "load": load,
    }  # fmt: skip
    print(json.dumps(report))
    assert len(rows.frames) == 30


def exact(clients: list[Client], sent: list[tuple[int, str, float]]) -> list[float]:
    """Delays of all events, after holding what each client got against what it may see."""
    seen = {
        "administrator": {number for number, _owner, _at in sent},
        "member": {number for number, owner, _at in sent if owner != MINE},
        "nobody": set(),
    }
    at_of = {number: at for number, _owner, at in sent}
    delays = []
    for client in clients:
        got = []
        for at, message in client.messages():
            if message["type"] == "snapshot":
                fields = {frame["field"] for frame in message["frames"]} - {""}
                assert fields == {"administrator": {"FLD195_v03", THEIR_FIELD}, "member": {THEIR_FIELD}}.get(
                    client.kind, set()
                )
            if message["type"] == "delta":
                number = int(re.fullmatch(r"event (\d+)", message["event"]["payload"]["reason"]).group(1))
                got.append(number)
                delays.append(at - at_of[number])
        assert got == sorted(seen[client.kind]), f"{client.kind} got each event once, in order"
    return delays
