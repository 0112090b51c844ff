"""Faust apps for tests: made ready for `test_context`, and closed without leaving loops open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faust

from agents.faust_driver import fetch_promptly


@contextmanager
def faust_app(name: str) -> Iterator[faust.App]:
    """App without a broker. Register agents, then call `make_ready`."""
    app = faust.App(
        name, store="memory://", autodiscover=False, web_enabled=False, origin="tests", topic_partitions=1
    )
    try:
        yield app
    finally:
        # Faust makes a loop for the consumer's thread, which never starts here.
        consumer = app._consumer
        if consumer is not None:
            consumer._thread.thread_loop.close()


def broker_app(name: str, broker: str, folder: Path, fetch_wait_ms: int, **options: Any) -> faust.App:
    """App that talks to a broker with the deadlines of ours, and keeps its tables in a folder."""
    app = faust.App(
        name,
        broker=f"kafka://{broker}",
        datadir=str(folder),
        autodiscover=False,
        web_enabled=False,
        origin="tests",
        topic_partitions=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=6.0,
        broker_request_timeout=20.0,
        **options,
    )
    fetch_promptly(app, fetch_wait_ms)
    return app


def make_ready(app: faust.App) -> None:
    """Let agents run in their test contexts."""
    app.finalize()
    app.flow_control.resume()


async def results_of(probe: Any, count: int) -> list[Any]:
    """What an agent yielded, in order, once there are as many as expected."""
    async with asyncio.timeout(60):
        while len(probe.results) < count:  # noqa: ASYNC110 - the probe tells nobody
            await asyncio.sleep(0.005)
    return [probe.results[offset] for offset in sorted(probe.results)]
