"""Faust agent that tells people what they should know, and the timer that waits for the right moment."""

from __future__ import annotations

import faust

from agents.notifier.desk import Desk
from agents.runtime import AgentContext, register_consumer
from paws.log import get_logger
from schemas.topics import FRAMES_ARRIVED, FRAMES_JUNKED, FRAMES_REJECTED, REDUCTIONS_FINISHED

log = get_logger(__name__)

_TICK = 1.0


def register(app: faust.App, context: AgentContext) -> None:
    """Register the agent and its timer."""
    desk = Desk(context)
    register_consumer(
        app,
        context,
        name="notifier",
        topics=(FRAMES_ARRIVED, FRAMES_JUNKED, FRAMES_REJECTED, REDUCTIONS_FINISHED),
        handler=desk.take,
    )

    async def tick() -> None:
        # An exception in a timer would end the worker.
        try:
            await desk.tick()
        except Exception as error:
            log.warning("messages wait", error=f"{type(error).__name__}: {error}")

    app.timer(_TICK, name="notifier")(tick)
