"""Tidying up again and again, where there is no timer."""

from __future__ import annotations

import asyncio
import os
import signal

from agents.tidy import main
from paws.errors import ServiceUnavailableError


async def test_it_is_done_again_and_a_failure_is_tried_again_earlier(monkeypatch):
    monkeypatch.setattr(main, "RETRY_PAUSE", 0.01)
    times = 0

    async def work():
        nonlocal times
        times += 1
        if times < 3:
            raise ServiceUnavailableError("The database does not answer.")
        if times == 3:
            # The next would be an hour later.
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(main.repeatedly(work, 3600.0), 30)
    assert times == 3


async def test_a_stop_ends_it_in_the_middle():
    begun = asyncio.Event()

    async def work():
        os.kill(os.getpid(), signal.SIGINT)
        begun.set()
        await asyncio.Event().wait()

    await asyncio.wait_for(main.repeatedly(work, 0.01), 30)
    assert begun.is_set()
