"""What all agents stand on: their context, and the way an event reaches a handler without being lost.

Faust acknowledges an event whose agent raised, and one that is acknowledged never comes back. So no
exception reaches Faust: each of the four outcomes is dealt with here, and the one that cannot be (the
database stays away) ends the process *before* the acknowledgement, so that the event comes again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import faust
import structlog
from pydantic import ValidationError

from agents.repeats import Repeats
from paws.clock import Clock, night_of, utc_now
from paws.database import Pool
from paws.errors import InvalidInputError, NotOursError, PawsError, RetriableError
from paws.log import get_logger
from paws.outbox import announce, status
from paws.settings import Settings
from schemas.events import AnyEvent, parse_event
from schemas.topics import TopicSpec
from schemas.vocabulary import Outcome

log = get_logger(__name__)

Handler = Callable[[AnyEvent], Awaitable[None]]

EXIT_STATUS = 70
"""Exit status of a worker that gave up; the supervisor starts it again."""

_RETRIABLE = (
    RetriableError,
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # it starts, stops or crashed
    asyncpg.InsufficientResourcesError,  # its disk is full, or its memory, or it has too many connections
    asyncpg.PostgresSystemError,  # its disk fails
    asyncpg.TransactionRollbackError,  # deadlocks
)


def is_retriable(error: BaseException) -> bool:
    """Whether nothing permanent has changed and another try may succeed."""
    # asyncpg calls a wrong argument an InterfaceError too; no time mends that.
    return isinstance(error, _RETRIABLE) and not isinstance(error, ValueError)


def exit_at_once(reason: str) -> None:
    """End the process without unwinding: nothing may acknowledge an event on the way out."""
    log.critical("giving up; the supervisor starts this worker again", reason=reason)
    os._exit(EXIT_STATUS)


class Offsets:
    """Notices messages that Faust drops: after a rebalance in which a message was in hand it may go on behind
    the one that waited next, and commit past it. Our topics have no holes, so a jump is a loss.

    Parameters
    ----------
    starts
        Where reading began, by topic and partition, as the broker knows it: the offset that the group had
        committed when the partition was last assigned. Without it, the first message of a life is believed.
    """

    def __init__(self, starts: Mapping[tuple[str, int], int]) -> None:
        self._starts = starts
        self._next: dict[tuple[str, int], int] = {}

    def take(self, topic: str, partition: int, offset: int) -> int:
        """Take the offset of a message that was delivered; how many before it were neither delivered nor done.

        What another worker did while it had the partition lies before the offset at which reading began again.
        """
        key = topic, partition
        expected = max(self._next.get(key, -1), self._starts.get(key, -1))
        self._next[key] = max(expected, offset + 1)
        return 0 if expected < 0 else max(0, offset - expected)


@dataclass
class AgentContext:
    """What agents are given. The pool is there once the worker runs.

    Attributes
    ----------
    retry_deadline
        Seconds for which a retriable error is retried before the process gives up.
    give_up
        Ends the process; another in tests.
    repeats
        Which events came before.
    starts
        Offsets at which reading began, by topic and partition; see `agents.faust_driver.PromptTransport`.
    """

    settings: Settings
    clock: Clock = utc_now
    retry_deadline: float = 20.0
    give_up: Callable[[str], None] = exit_at_once
    repeats: Repeats = field(default_factory=Repeats)
    starts: dict[tuple[str, int], int] = field(default_factory=dict)
    _pool: Pool | None = field(default=None, repr=False)

    @property
    def pool(self) -> Pool:
        """Database pool.

        Raises
        ------
        RuntimeError
            If the worker has not opened it yet.
        """
        if self._pool is None:
            raise RuntimeError("the worker has opened no database pool yet")
        return self._pool

    @pool.setter
    def pool(self, pool: Pool) -> None:
        self._pool = pool


@dataclass(frozen=True)
class Receipt:
    """What became of a message; agents yield it, so that tests and logs can tell."""

    outcome: Outcome
    event_id: str = ""
    reason: str = ""


async def persist(context: AgentContext, work: Callable[[], Awaitable[None]]) -> None:
    """Carry out work that may be tried again, until it succeeds or the process gives up.

    Errors that another try would not mend pass through.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + context.retry_deadline
    pause = 0.1
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_retriable(error):
                raise
            if loop.time() + pause > give_up_at:
                context.give_up(f"{type(error).__name__}: {error}")
                raise
            log.warning("trying again", error=str(error), kind=type(error).__name__, pause=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)


async def deliver(context: AgentContext, handler: Handler, payload: bytes | None) -> Receipt:
    """Give a message to a handler and settle its outcome. Raises nothing but what ends the process."""
    if not payload:
        return Receipt(Outcome.NOT_OURS, reason="empty message")
    try:
        event = parse_event(payload)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return await _refuse(context, "", f"The message is no event we know: {where}: {first['msg']}.")
    context.repeats.take(structlog.contextvars.get_contextvars().get("agent", ""), event.event_id)
    with structlog.contextvars.bound_contextvars(event_id=event.event_id, night=event.night):
        try:
            await persist(context, lambda: handler(event))
        except NotOursError as error:
            log.debug("not ours", reason=error.message)
            return Receipt(Outcome.NOT_OURS, event.event_id, error.message)
        except InvalidInputError as error:
            return await _refuse(context, event.event_id, error.message, event.night)
        except Exception as error:
            if is_retriable(error):
                raise
            log.exception("an event could not be handled", error=str(error))
            code = error.code if isinstance(error, PawsError) else "internal"
            reason = f"An event could not be handled ({code}): {error}. The log of the worker tells more."
            await notify(context, event.event_id, Outcome.PERMANENT, reason, event.night)
            return Receipt(Outcome.PERMANENT, event.event_id, str(error))
    return Receipt(Outcome.SUCCESS, event.event_id)


async def _refuse(context: AgentContext, event_id: str, reason: str, night: str = "") -> Receipt:
    log.error("message refused", reason=reason)
    await notify(context, event_id, Outcome.INVALID_INPUT, reason, night)
    return Receipt(Outcome.INVALID_INPUT, event_id, reason)


async def notify(context: AgentContext, event_id: str, outcome: Outcome, reason: str, night: str) -> None:
    """Tell people. That this fails must not stop the stream; it is in the log already."""
    at = context.clock()
    night = night or night_of(at, context.settings.site_longitude)
    bound = structlog.contextvars.get_contextvars()
    entity_id = f"{bound.get('agent', 'worker')}:{event_id or bound.get('offset', at.isoformat())}"
    notice = status("notice", entity_id, outcome.value, night, at, {"reason": reason[:2000]})
    try:
        async with context.pool.acquire() as connection:
            await announce(connection, [notice])
    except Exception as error:
        log.error("a notice could not be written", error=str(error))


def register_consumer(
    app: faust.App,
    context: AgentContext,
    *,
    name: str,
    topics: Sequence[TopicSpec],
    handler: Handler,
) -> Any:
    """Register a Faust agent that gives every event of some topics to a handler, in order, one at a time.

    Parameters
    ----------
    name
        Of the agent, for logs.
    handler
        Takes an event; milliseconds to a second. It may be given an event twice, late or out of order.

    Returns
    -------
    faust agent
        It yields a `Receipt` for each message.
    """
    topic = app.topic(
        *(context.settings.topic(spec.name) for spec in topics),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )

    offsets = Offsets(context.starts)

    async def consume(stream: Any) -> AsyncIterator[Receipt]:
        async for event in stream.events():
            message = event.message
            skipped = offsets.take(message.topic, message.partition, message.offset)
            if skipped:
                # Not acknowledged yet, so the next life begins with the first of those skipped.
                context.give_up(
                    f"Faust skipped {skipped} message(s) of {message.topic} before {message.offset}"
                )
            with structlog.contextvars.bound_contextvars(
                agent=name, topic=message.topic, offset=message.offset
            ):
                yield await deliver(context, handler, event.value)

    return app.agent(topic, name=name, concurrency=1)(consume)
