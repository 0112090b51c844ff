"""``/ws/status``: one client's conversation, with a sender and a receiver of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from paws.access.rule import Sight
from paws.clock import utc_now
from paws.database import DATABASE_TROUBLES
from paws.log import get_logger
from web.live.hub import Client, Hub
from web.live.snapshot import SnapshotDesk

log = get_logger(__name__)

HEARTBEAT: Final = 10.0
"""Seconds of quiet after which a client is told that all is well."""

SEND_DEADLINE: Final = 60.0
"""Seconds that a client may take to read one message before it counts as dead."""

_MAX_SEQ: Final = 2**53


ENDED_CODE: Final = 4401
"""Why a websocket is closed whose visitor is no longer known: signed out, disabled, revoked."""


class EndedError(Exception):
    """The visitor of a websocket is no longer known."""


class BadQuestionError(ValueError):
    """The query of a websocket is wrong."""


@dataclass(frozen=True)
class Question:
    """What a client asks for when it connects."""

    night: str | None
    since: int | None


def parse_question(query: Mapping[str, str]) -> Question:
    """Question of a client.

    Raises
    ------
    BadQuestionError
        If a parameter is unknown or wrong.
    """
    unknown = sorted(set(query) - {"night", "since"})
    if unknown:
        raise BadQuestionError(f"no such parameter: {unknown[0][:40]!r}; there are night and since")
    night = query.get("night")
    if night is not None and not re.fullmatch(r"[0-9]{8}", night):
        raise BadQuestionError("night must be eight digits, YYYYMMDD")
    since = query.get("since")
    if since is None:
        return Question(night, None)
    if not re.fullmatch(r"[0-9]{1,16}", since) or int(since) > _MAX_SEQ:
        raise BadQuestionError("since must be the number of a status event")
    return Question(night, int(since))


class Sink(Protocol):
    """Where messages go."""

    async def send_text(self, data: str) -> None:
        """Send one message; returns when it is handed to the network."""


async def serve(
    socket: WebSocket,
    hub: Hub,
    desk: SnapshotDesk,
    limit: int,
    sight: Sight,
    joined: Callable[[Client], None] = lambda _client: None,
) -> None:
    """Talk to one client until it leaves, stops reading, or is no longer known.

    Parameters
    ----------
    sight
        What it may see at first.
    joined
        Told of the client, so that its sight can be kept up to date.
    """
    try:
        question = parse_question(dict(socket.query_params))
    except BadQuestionError as error:
        await socket.close(1008, str(error)[:120])
        return
    await socket.accept()
    client, resume, missed = hub.join(question.night, question.since, limit, sight)
    joined(client)
    try:
        async with asyncio.TaskGroup() as group:
            # A send-only loop would notice a dead client only at the next event.
            receiver = group.create_task(_receive(socket))
            sender = group.create_task(
                tell(socket, client, hub, desk, [delta.text for delta in missed], resume.first is None)
            )
            await asyncio.wait({receiver, sender}, return_when=asyncio.FIRST_COMPLETED)
            receiver.cancel()
            sender.cancel()
    except* (WebSocketDisconnect, ConnectionError, RuntimeError) as group_error:
        # RuntimeError is how Starlette tells that the other side has gone already.
        log.debug("websocket ended", reason=repr(group_error.exceptions[0]))
    except* EndedError:
        log.debug("websocket closed: its visitor is no longer known")
    except* TimeoutError:
        log.info("websocket closed: the client does not read", night=question.night)
    finally:
        hub.leave(client)
        if socket.client_state is not WebSocketState.DISCONNECTED:
            with suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
                await asyncio.wait_for(socket.close(ENDED_CODE if client.ended else 1001), 1.0)


async def tell(
    sink: Sink,
    client: Client,
    hub: Hub,
    desk: SnapshotDesk,
    missed: list[str],
    start_with_snapshot: bool,
    heartbeat: float = HEARTBEAT,
) -> None:
    """Send what a client is to know, for ever: a snapshot or what it missed, then each event."""
    seen = client.joined
    # Clients with limits count for themselves, from each snapshot on.
    number = 0
    if start_with_snapshot:
        seen = await _send_snapshot(sink, client, desk)
    else:
        for text in missed:
            await _send(sink, text)
        # Tells a client that missed nothing that it is up to date.
        await _send(sink, _heartbeat(seen))
    while True:
        if not await client.wait(heartbeat):
            await _send(sink, _heartbeat(max(seen, hub.newest) if client.sight.everything else number))
            continue
        sight = client.sight
        for delta in client.take():
            if delta.seq > seen:
                number += 1
                text = delta.text if sight.everything else delta.text_for(sight, number)
                await _send(sink, text)
                seen = delta.seq
            if client.behind:
                break
        if client.ended:
            raise EndedError
        if client.behind:
            await _send(sink, _message("resync", reason="what you see has changed, or you read too slowly"))
            client.restart(hub.newest)
            number = 0
            seen = await _send_snapshot(sink, client, desk)


async def _send_snapshot(sink: Sink, client: Client, desk: SnapshotDesk) -> int:
    while True:
        try:
            seq, text = await desk.text(client.night, client.joined, client.sight)
        except DATABASE_TROUBLES:
            # The client keeps what it shows, and learns why nothing new comes.
            await _send(sink, _message("unavailable", reason="the database does not answer; trying again"))
            await asyncio.sleep(1.0)
            continue
        await _send(sink, text)
        return seq


async def _send(sink: Sink, text: str) -> None:
    # Not wait_for: it would make a task for each message to each client.
    async with asyncio.timeout(SEND_DEADLINE):
        await sink.send_text(text)


async def _receive(socket: WebSocket) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return


def _heartbeat(seq: int) -> str:
    return _message("heartbeat", seq=seq, at=utc_now().isoformat())


def _message(kind: str, **values: object) -> str:
    return orjson.dumps({"type": kind, **values}).decode()
