"""The observing log and the notifier as Faust agents: an event in, its outcome out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import faust
import pytest

import agents.notifier.agent
import agents.obslog.agent
from agents.runtime import AgentContext
from paws.clock import utc_now
from paws.database import open_pool
from paws.settings import Settings
from schemas.events import FrameArrived, StatusEvent, dump_event
from schemas.vocabulary import Outcome
from tests.agents.test_obslog import add_frame


@pytest.mark.parametrize("module", [agents.obslog.agent, agents.notifier.agent])
async def test_an_agent_settles_every_event(database: Settings, tmp_path: Path, module: ModuleType) -> None:
    async with open_pool(database) as pool:
        frame = await add_frame(pool, tmp_path, 11)
        context = AgentContext(database)
        context.pool = pool
        app = faust.App("test", store="memory://", broker="kafka://localhost:1", autodiscover=False)
        module.register(app, context)
        app.finalize()
        app.flow_control.resume()
        (agent,) = app.agents.values()
        messages = [
            dump_event(FrameArrived(event_id=frame.frame_id, night=frame.night, at=utc_now(), frame=frame)),
            b"no event at all",
            dump_event(
                StatusEvent(
                    event_id="s", night=frame.night, at=utc_now(), entity="notice", entity_id="n", state="s"
                )
            ),
        ]
        async with agent.test_context() as tested:
            for message in messages:
                await tested.put(message)
            outcomes = await _receipts(tested, len(messages))
        # Faust makes a loop for its consumer's thread, which never starts here and so never closes it.
        app.consumer._thread.thread_loop.close()
        assert outcomes == [Outcome.SUCCESS, Outcome.INVALID_INPUT, Outcome.NOT_OURS]
        logged = await pool.fetchval("SELECT count(*) FROM observing_log")
        assert logged == (1 if module is agents.obslog.agent else 0)


async def _receipts(tested: Any, count: int) -> list[Outcome]:
    async with asyncio.timeout(30):
        while len(tested.results) < count:  # noqa: ASYNC110 - the wrapper tells no event
            await asyncio.sleep(0.01)
    return [tested.results[offset].outcome for offset in sorted(tested.results)]
