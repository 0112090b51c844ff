"""A minimal Faust worker that handles two messages at once, with late acknowledgement, as its guide allows.

``python -m tests.chaos.minimal_faust BROKER GROUP FOLDER SLOW``: writes a file into the folder for each message
that is begun, and another when it is done. The message whose text is SLOW takes for ever.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import faust

from agents.faust_driver import TANSU_FETCH_WAIT_MS
from tests.support.fausting import broker_app

TOPIC = "frames"


def make_app(broker: str, group: str, folder: Path, slow: str) -> faust.App:
    """App with one agent of two actors."""
    app = broker_app(
        group,
        broker,
        folder / "faust",
        TANSU_FETCH_WAIT_MS,
        broker_commit_every=1,
        broker_commit_interval=0.2,
    )

    async def handle(stream: Any) -> AsyncIterator[str]:
        async for event in stream.events():
            text = event.value.decode()
            (folder / f"{text}.begun").touch()
            if text == slow:
                await asyncio.sleep(3600)
            (folder / f"{text}.done").touch()
            yield text

    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    app.agent(app.topic(TOPIC, **raw), name="handle", concurrency=2)(handle)
    return app


async def main(broker: str, group: str, folder: Path, slow: str) -> None:
    """Run until killed."""
    app = make_app(broker, group, folder, slow)
    app.finalize()
    await app.start()
    (folder / "ready").touch()
    await app.wait_until_stopped()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
