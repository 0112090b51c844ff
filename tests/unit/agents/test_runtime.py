"""What becomes of a message, whatever its handler does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from agents.runtime import AgentContext, Offsets, deliver, is_retriable, register_consumer
from paws.errors import InvalidInputError, NotOursError, PermanentError, RetriableError
from paws.settings import load_settings
from schemas.events import AnyEvent, FrameArrived, dump_event
from schemas.topics import FRAMES_ARRIVED
from schemas.vocabulary import Outcome
from tests.support.fausting import faust_app, make_ready, results_of
from tests.support.nights import make_frame

NOON = datetime(2026, 3, 12, 2, tzinfo=UTC)


class FakeConnection:
    """Remembers what is written."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    async def execute(self, _statement: str, *columns: list[Any]) -> None:
        self.rows += zip(*columns, strict=True)

    async def __aenter__(self) -> FakeConnection:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class FakePool:
    def __init__(self) -> None:
        self.rows: list[Any] = []

    def acquire(self) -> FakeConnection:
        return FakeConnection(self.rows)


class GaveUpError(BaseException):
    """Stands for the end of the process."""


def make_context(deadline: float = 0.3) -> AgentContext:
    def give_up(reason: str) -> None:
        raise GaveUpError(reason)

    context = AgentContext(load_settings(), clock=lambda: NOON, retry_deadline=deadline, give_up=give_up)
    context.pool = FakePool()
    return context


def make_event() -> FrameArrived:
    frame = make_frame("MFARC", 1)
    return FrameArrived(event_id=frame.frame_id, night=frame.night, at=NOON, frame=frame)


@pytest.mark.parametrize(
    ("error", "outcome", "notices"),
    [
        (None, Outcome.SUCCESS, 0),
        (NotOursError("somebody else's"), Outcome.NOT_OURS, 0),
        (InvalidInputError("wrong"), Outcome.INVALID_INPUT, 1),
        (PermanentError("broken"), Outcome.PERMANENT, 1),
        (KeyError("a fault of ours"), Outcome.PERMANENT, 1),
    ],
)
async def test_no_outcome_reaches_faust_as_an_exception(
    error: Exception | None, outcome: Outcome, notices: int
) -> None:
    context = make_context()

    async def handle(_event: AnyEvent) -> None:
        if error is not None:
            raise error

    receipt = await deliver(context, handle, dump_event(make_event()))

    assert receipt.outcome is outcome
    rows = context.pool.rows
    assert len(rows) == notices
    assert all(row[0] == "status.events" and row[3]["entity"] == "notice" for row in rows)


@pytest.mark.parametrize("error", [RetriableError("away"), OSError("away"), TimeoutError()])
async def test_a_retriable_error_is_retried(error: Exception) -> None:
    tries = []

    async def handle(event: AnyEvent) -> None:
        tries.append(event)
        if len(tries) < 2:
            raise error

    receipt = await deliver(make_context(), handle, dump_event(make_event()))
    assert (receipt.outcome, len(tries)) == (Outcome.SUCCESS, 2)


async def test_what_cannot_be_retried_for_ever_ends_the_process_before_the_acknowledgement() -> None:
    async def handle(_event: AnyEvent) -> None:
        raise RetriableError("the database is away")

    with pytest.raises(GaveUpError, match="the database is away"):
        await deliver(make_context(), handle, dump_event(make_event()))


@pytest.mark.parametrize(
    "payload", [b"{", b"[]", b'{"event": "frame.arrived"}', b'{"event":"nonsense"}', b"\xff"]
)
async def test_a_message_that_is_no_event_is_refused_and_told(payload: bytes) -> None:
    context = make_context()
    seen = []

    async def handle(event: AnyEvent) -> None:
        seen.append(event)

    receipt = await deliver(context, handle, payload)
    assert receipt.outcome is Outcome.INVALID_INPUT
    assert "no event we know" in receipt.reason
    assert (seen, len(context.pool.rows)) == ([], 1)


async def test_that_a_notice_cannot_be_written_stops_nothing() -> None:
    context = make_context()
    context.pool = None

    async def handle(_event: AnyEvent) -> None:
        raise InvalidInputError("wrong")

    receipt = await deliver(context, handle, dump_event(make_event()))
    assert receipt.outcome is Outcome.INVALID_INPUT


def test_the_pool_is_there_once_the_worker_runs() -> None:
    with pytest.raises(RuntimeError, match="no database pool"):
        _ = AgentContext(load_settings()).pool


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (asyncpg.InterfaceError("connection is closed"), True),
        # asyncpg raises it when the server dies between two steps of a query.
        (
            asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
            True,
        ),
        (asyncpg.CannotConnectNowError("starting up"), True),
        (asyncpg.DeadlockDetectedError("deadlock"), True),
        (asyncpg.DiskFullError("could not extend file: No space left on device"), True),
        (asyncpg.PostgresIOError("could not write block 7"), True),
        (ConnectionResetError(), True),
        (asyncpg.exceptions.DataError("a wrong argument"), False),
        (asyncpg.UniqueViolationError("twice"), False),
        (ValueError("a fault of ours"), False),
    ],
)
def test_only_what_another_try_may_mend_is_retriable(error: Exception, again: bool) -> None:
    assert is_retriable(error) is again


async def test_a_faust_agent_gives_its_events_to_the_handler_in_order() -> None:
    context = make_context()
    taken: list[str] = []

    async def handle(event: AnyEvent) -> None:
        taken.append(event.event_id)

    events = [
        FrameArrived(event_id=f"number {n}", night="20260312", at=NOON, frame=make_frame("MFARC", n))
        for n in range(3)
    ]
    with faust_app("runtime-test") as app:
        agent = register_consumer(app, context, name="taker", topics=(FRAMES_ARRIVED,), handler=handle)
        make_ready(app)
        async with agent.test_context() as probe:
            for event in events:
                await probe.put(dump_event(event))
            await probe.put(b"nonsense")
            outcomes = [receipt.outcome for receipt in await results_of(probe, 4)]
    assert taken == [event.event_id for event in events]
    assert outcomes == [Outcome.SUCCESS] * 3 + [Outcome.INVALID_INPUT]


def test_a_message_that_was_dropped_is_noticed():
    offsets = Offsets({})
    # What came first is taken as it is; what comes again is no jump; each topic counts for itself.
    assert [offsets.take("a", 0, number) for number in (4, 5, 5, 4, 6)] == [0, 0, 0, 0, 0]
    assert offsets.take("b", 0, 90) == 0
    assert offsets.take("a", 0, 8) == 1
    assert offsets.take("a", 0, 9) == 0
    assert offsets.take("b", 0, 94) == 3


def test_a_message_that_was_dropped_as_the_first_of_all_is_noticed():
    starts = {("a", 0): 4, ("b", 0): 0}
    offsets = Offsets(starts)
    assert offsets.take("a", 0, 5) == 1
    assert offsets.take("b", 0, 0) == 0
    # Known to nobody: believed.
    assert offsets.take("c", 0, 7) == 0


def test_what_another_worker_did_meanwhile_was_not_dropped():
    starts = {("a", 0): 4}
    offsets = Offsets(starts)
    assert [offsets.take("a", 0, number) for number in (4, 5)] == [0, 0]
    # The partition went away and came back: another has done 6 to 19.
    starts["a", 0] = 20
    assert offsets.take("a", 0, 20) == 0
    # It came back behind what we did, since that was not acknowledged: it comes again.
    starts["a", 0] = 19
    assert [offsets.take("a", 0, number) for number in (19, 20, 21, 23)] == [0, 0, 0, 1]


async def test_the_worker_gives_up_before_it_acknowledges_past_a_dropped_message():
    given_up: list[str] = []
    context = make_context()
    context.give_up = given_up.append

    async def handle(_event: AnyEvent) -> None:
        return

    with faust_app("runtime-test") as app:
        agent = register_consumer(app, context, name="taker", topics=(FRAMES_ARRIVED,), handler=handle)
        make_ready(app)
        async with agent.test_context() as probe:
            for offset in (4, 5, 7):
                probe.sent_offset = offset
                await probe.put(b"")
            assert len(given_up) == 1
    assert "skipped 1 message(s) of frames.arrived before 7" in given_up[0]
