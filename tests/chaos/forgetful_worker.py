"""A worker with the reducer's intake alone, to which Faust loses the first messages of its topic.

``python -m tests.chaos.forgetful_worker COUNT``: so many messages vanish between the broker and the intake, as they
do when a rebalance comes at the wrong moment; its settings come from the environment.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from agents import faust_driver
from agents.worker import run_worker
from paws.log import configure_logging
from paws.settings import load_settings
from schemas.topics import REDUCTIONS_REQUESTED


def lose_first(topic: str, count: int) -> None:
    """Have our consumer lose the first messages of a topic."""
    consumer: Any = faust_driver._Consumer  # the place where Faust loses them
    deliver = consumer.getmany
    lost = 0

    async def getmany(self: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        nonlocal lost
        async for partition, message in deliver(self, *arguments, **options):
            if partition.topic == topic and lost < count:
                lost += 1
                continue
            yield partition, message

    consumer.getmany = getmany


if __name__ == "__main__":
    configure_logging()
    settings = load_settings()
    lose_first(settings.topic(REDUCTIONS_REQUESTED.name), int(sys.argv[1]))
    sys.exit(asyncio.run(run_worker(settings, agents=("agents.reducer.agent",))))
