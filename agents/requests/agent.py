"""Faust agent of requests: orders and ends of reductions in, reductions to ask for out."""

from __future__ import annotations

import asyncio

import faust

from agents.requests.delivery import Courier
from agents.requests.desk import RequestDesk
from agents.runtime import AgentContext, register_consumer
from schemas.topics import REDUCTIONS_FINISHED, REQUESTS_ORDERED

COURIERS = 4


def register(app: faust.App, context: AgentContext) -> RequestDesk:
    """Register the agent and its tasks."""
    desk, courier = RequestDesk(context), Courier(context)
    register_consumer(
        app, context, name="requests", topics=(REQUESTS_ORDERED, REDUCTIONS_FINISHED), handler=desk.take
    )

    @app.task
    async def carry_out_requests() -> None:
        try:
            await desk.run()
        except Exception as error:
            # A Faust task that ends is not missed by anybody.
            context.give_up(f"the desk of requests stopped: {error}")

    @app.task
    async def deliver_webhooks() -> None:
        # Several, so that one slow receiver does not keep the others waiting.
        await asyncio.gather(*(courier.run() for _ in range(COURIERS)))

    return desk
