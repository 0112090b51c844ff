"""Faust agent that keeps the observing log."""

from __future__ import annotations

import faust

from agents.obslog.storage import refresh
from agents.runtime import AgentContext, register_consumer
from paws.errors import NotOursError
from schemas.events import AnyEvent, FrameArrived, FrameJunked, ReductionFinished
from schemas.topics import FRAMES_ARRIVED, FRAMES_JUNKED, REDUCTIONS_FINISHED


def register(app: faust.App, context: AgentContext) -> None:
    """Register the agent."""

    async def handle(event: AnyEvent) -> None:
        match event:
            case FrameArrived():
                frame_ids: tuple[str, ...] = (event.frame.frame_id,)
            case FrameJunked():
                frame_ids = (event.frame_id,)
            case ReductionFinished():
                frame_ids = event.subject_frame_ids
            case _:
                raise NotOursError(f"the observing log has no use for {event.event}")
        await refresh(context.pool, frame_ids, event.night)

    register_consumer(
        app,
        context,
        name="obslog",
        topics=(FRAMES_ARRIVED, FRAMES_JUNKED, REDUCTIONS_FINISHED),
        handler=handle,
    )
