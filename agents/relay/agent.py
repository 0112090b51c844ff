"""The relay as a part of the worker."""

from __future__ import annotations

import faust

from agents.relay.relay import Relay
from agents.runtime import AgentContext


def register(app: faust.App, context: AgentContext) -> None:
    """Have the app run the relay; it ends with the app."""

    @app.task
    async def relay() -> None:
        await Relay(context.settings, clock=context.clock).run()
