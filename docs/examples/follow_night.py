"""Follow a night of PAWS Live: print what becomes of each frame, as it happens.

    python follow_night.py http://127.0.0.1:8080 [NIGHT]

Needs the package ``websockets``. Where accounts are asked for, make a token on your account's page and put it into
the environment variable PAWS_TOKEN. The feed is described in docs/reference/feed.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

SILENCE = 30.0
"""Seconds without a word, heartbeats included, after which a connection counts as dead."""
SIGNED_OUT = 4401
"""Code of a connection that is closed because the token is no longer valid."""


async def follow(address: str, night: str | None = None, token: str = "") -> AsyncIterator[dict[str, Any]]:
    """Frames of a night: all of them first, then each again whenever something becomes of it.

    It comes back by itself after a lost connection. A frame may be told twice; its newest state counts.
    """
    since: int | None = None
    frames: dict[str, dict[str, Any]] = {}
    wait = 0.5
    while True:
        question = {"night": night, "since": since}
        query = urlencode({name: value for name, value in question.items() if value is not None})
        url = f"{address.rstrip('/').replace('http', 'ws', 1)}/ws/status?{query}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with connect(url, additional_headers=headers, max_size=None) as socket:
                wait = 0.5
                while True:
                    message = json.loads(await asyncio.wait_for(socket.recv(), SILENCE))
                    if "seq" in message:
                        since = message["seq"]
                    if message["type"] == "snapshot":
                        # Everything is told anew: what is not in it is not there any more, or not ours to see.
                        frames = {frame["frame_id"]: frame for frame in message["frames"]}
                        for frame in message["frames"]:
                            yield frame
                    elif message["type"] == "delta" and message["event"]["entity"] == "frame":
                        event = message["event"]
                        frames[event["entity_id"]] = frames.get(event["entity_id"], {}) | event["payload"]
                        yield frames[event["entity_id"]]
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == SIGNED_OUT:
                raise SystemExit("The token is no longer valid.") from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            print(f"not connected: {error}", file=sys.stderr)
        await asyncio.sleep(wait)
        wait = min(2 * wait, 15.0)


async def main() -> None:
    """Print a line for each change."""
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    night = sys.argv[2] if len(sys.argv) > 2 else None
    async for frame in follow(address, night, os.environ.get("PAWS_TOKEN", "")):
        level = "" if frame["level"] is None else f"L{frame['level']}"
        signal = "" if frame["signal_to_noise"] is None else f"S/N {frame['signal_to_noise']:.1f}"
        # Names and reasons come from headers and people: repr keeps a terminal safe.
        print(frame["name"], frame["state"], level, signal, repr(frame["reason"] or ""), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
