"""The intake's Faust agent: a request becomes a durable job, then its event is acknowledged."""

from __future__ import annotations

import faust

from agents.reducer.intake.storage import take_request
from agents.runtime import AgentContext, register_consumer
from paws.errors import NotOursError
from schemas.events import AnyEvent, ReductionRequested
from schemas.topics import REDUCTIONS_REQUESTED


def register(app: faust.App, context: AgentContext) -> None:
    """Register the intake with the app."""

    async def handle(event: AnyEvent) -> None:
        if not isinstance(event, ReductionRequested):
            raise NotOursError("the intake takes requests for reductions only")
        await take_request(context.pool, event, context.clock())

    register_consumer(app, context, name="reducer", topics=[REDUCTIONS_REQUESTED], handler=handle)
