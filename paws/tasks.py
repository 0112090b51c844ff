"""What processes of ours do alike: work in the background, and an end when they are asked for one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_stop_signals(call: Callable[[], object]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call something while the block runs, instead of ending the process."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, call)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], name: str | None = None) -> AsyncIterator[None]:
    """Do some work while the block runs. It is cancelled at the block's end, and its end is waited for.

    Raises
    ------
    Exception
        Whatever ended the work before, at the block's end.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        # Not awaited itself: who awaits it cannot tell its end from being cancelled meanwhile, and would go on.
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
