"""Work in the background, and signals that ask for an end."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from paws.tasks import STOP_SIGNALS, in_background, on_stop_signals


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_a_signal_calls_while_the_block_runs_and_is_itself_again_after(number):
    stop = asyncio.Event()
    before = signal.getsignal(number)
    with on_stop_signals(stop.set):
        os.kill(os.getpid(), number)
        async with asyncio.timeout(10):
            await stop.wait()
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


async def test_work_ends_with_the_block_and_is_waited_for():
    told: list[str] = []
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("put away")

    async with in_background(work(), "work"):
        await begun.wait()
        assert told == []
    assert told == ["put away"]


async def test_what_ended_the_work_is_raised():
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        async with in_background(work()):
            await asyncio.sleep(0.01)


async def test_who_is_cancelled_while_work_ends_is_cancelled():
    ending = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await asyncio.Event().wait()

    async def block() -> None:
        async with in_background(work()):
            await asyncio.sleep(0)

    task = asyncio.create_task(block())
    await ending.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await task
