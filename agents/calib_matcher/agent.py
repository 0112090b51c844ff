"""Faust agent of the matcher: events in, plans out."""

from __future__ import annotations

import faust

from agents.calib_matcher.planner import Planner
from agents.runtime import AgentContext, register_consumer
from paws.log import get_logger
from schemas.topics import FRAMES_ARRIVED, FRAMES_JUNKED, FRAMES_PARAMETERS, REDUCTIONS_FINISHED

log = get_logger(__name__)

TABLE = "nights"


def register(app: faust.App, context: AgentContext) -> Planner:
    """Register the agent, its table and its planning task."""
    table = app.Table(
        TABLE,
        partitions=1,
        key_type=bytes,
        value_type=bytes,
        help="What is known of each night, item by item",
    )
    planner = Planner(context, table)
    register_consumer(
        app,
        context,
        name="calib_matcher",
        topics=(FRAMES_ARRIVED, FRAMES_JUNKED, FRAMES_PARAMETERS, REDUCTIONS_FINISHED),
        handler=planner.take,
    )

    @app.task
    async def plan_nights() -> None:
        try:
            await planner.run()
        except Exception as error:
            # Without plans nothing is reduced, and a Faust task that ends is not missed by anybody.
            context.give_up(f"the planner stopped: {error}")

    return planner
