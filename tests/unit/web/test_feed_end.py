"""The feed ends when it is told to, whatever its libraries make of that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from paws.settings import Settings
from web.live.feed import Feed
from web.live.hub import Hub


async def test_a_broker_that_fails_at_the_moment_of_the_end_does_not_keep_the_feed_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, broker_url="kafka://127.0.0.1:1")
    feed = Feed(settings, None, Hub(), None)  # type: ignore[arg-type]  # neither is asked here
    listening = asyncio.Event()

    async def listen() -> None:
        listening.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            # As asyncio's wait_for and aiokafka do when connecting fails just then.
            raise ConnectionError("refused") from None

    monkeypatch.setattr(feed, "_listen", listen)
    task = asyncio.create_task(feed._follow_broker())
    await listening.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=60)
    assert done
    assert task.cancelled()
