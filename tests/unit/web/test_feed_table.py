"""The table beside the broker: what is newer than its answer is no new numbering."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from paws.settings import Settings
from tests.support.sights import ALL
from web.live.feed import Feed
from web.live.hub import Hub
from web.live.whose import WhoseDesk


def event(seq: int) -> dict[str, object]:
    return {"seq": seq, "night": "20260312"}


class Table:
    """A table of five events; while it answers, the broker brings more."""

    def __init__(self, hub: Hub, brought: int) -> None:
        self.hub, self.brought = hub, brought

    async def fetch(self, *_: object) -> list[Any]:
        return []

    async def fetchrow(self, *_: object) -> dict[str, int]:
        for seq in range(6, 6 + self.brought):
            self.hub.accept(event(seq))
        return {"oldest": 1, "newest": 5}


@pytest.mark.parametrize(
    ("known", "brought", "newest", "anew"), [(5, 0, 5, False), (5, 2, 7, False), (7, 0, 5, True)]
)
async def test_only_what_was_known_before_the_table_was_asked_can_be_missing_there(
    tmp_path: Path, known: int, brought: int, newest: int, anew: bool
) -> None:
    hub = Hub()
    hub.restart_at(known)
    client, _, _ = hub.join("20260312", None, 8, ALL)
    pool: Any = Table(hub, brought)
    feed = Feed(Settings(data_dir=tmp_path), pool, hub, WhoseDesk(pool, needed=False))
    task = asyncio.create_task(feed._follow_table())
    while feed.state.database is not None:  # noqa: ASYNC110 - it says so nowhere else
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (hub.newest, client.behind) == (newest, anew)
