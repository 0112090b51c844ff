"""The desk of requests: plans what is open, asks for what can start, and follows how it ends.

What is to be looked at is only kept in memory; at its start the desk looks at everything that is open.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from time import monotonic, perf_counter

from agents.requests import letters, storage
from agents.requests.storage import Request
from agents.runtime import AgentContext, is_retriable, notify, persist
from paws.database import Connection
from paws.errors import NotOursError
from paws.letters import put_letter
from paws.log import get_logger
from paws.matching.policy import MatchPolicy
from paws.requests.orders import tell
from paws.requests.planning import plan_request
from paws.requests.reading import read_known
from paws.requests.states import OPEN, Situation, StateDecision, derive
from schemas.events import AnyEvent, ReductionFinished, RequestOrdered
from schemas.vocabulary import Outcome

log = get_logger(__name__)

TICK = 1.0
LOOK_AT_ALL = 30.0
"""Seconds after which every open request is looked at, though nothing was heard of it."""
SWEEP = timedelta(minutes=3)
"""For so long after a cancellation reductions are looked for that were asked for just before it."""
PAUSES = 4.0
"""A request is let alone for so many times as long as it took, so that a flood of ends cannot starve others."""


class RequestDesk:
    """Carries out requests.

    Parameters
    ----------
    pauses
        How long a request is let alone after it was looked at, in the time that this took.
    """

    def __init__(self, context: AgentContext, pauses: float = PAUSES) -> None:
        self._context = context
        self._pauses = pauses
        self._site = MatchPolicy.of(context.settings)
        self._dirty: dict[str, None] = {}
        self._not_before: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._all_at = 0.0

    async def take(self, event: AnyEvent) -> None:
        """Take an event in.

        Raises
        ------
        NotOursError
            If it concerns no request.
        """
        match event:
            case RequestOrdered():
                self._dirty[event.request_id] = None
            case ReductionFinished():
                found = await storage.requests_of(self._context.pool, event.job_key)
                if not found:
                    raise NotOursError("no open request needs it")
                self._dirty.update(dict.fromkeys(found))
            case _:
                raise NotOursError(f"requests have no use for {event.event}")
        self._wake.set()

    @property
    def waits(self) -> bool:
        """Whether a request is to be looked at."""
        return bool(self._dirty)

    async def run(self) -> None:
        """Work for ever. Ends the process when the database stays away."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK)
            self._wake.clear()
            await persist(self._context, self.step)

    async def step(self) -> None:
        """Do what is due."""
        now = monotonic()
        pool = self._context.pool
        if now >= self._all_at:
            self._dirty.update(dict.fromkeys(await storage.open_requests(pool)))
            await self._sweep()
            self._all_at = now + LOOK_AT_ALL
        self._dirty.update(dict.fromkeys(await storage.begun_requests(pool)))
        for request_id in [name for name in self._dirty if self._not_before.get(name, 0.0) <= now]:
            del self._dirty[request_id]
            try:
                await self._advance(request_id)
            except Exception as error:
                self._dirty[request_id] = None
                if is_retriable(error):
                    raise
                self._not_before[request_id] = monotonic() + LOOK_AT_ALL
                log.exception("a request could not be planned", request=request_id, error=str(error))
                await notify(
                    self._context,
                    f"request-{request_id}",
                    Outcome.PERMANENT,
                    f"Request {request_id} could not be planned: {error}. The log of the worker tells more.",
                    "",
                )

    async def _advance(self, request_id: str) -> None:
        """Bring one request as far as it can be brought now."""
        began = perf_counter()
        pool, now = self._context.pool, self._context.clock()
        async with pool.acquire() as connection:
            request = await storage.read_request(connection, request_id)
            if request is None or request.state not in OPEN:
                self._not_before.pop(request_id, None)
                return
            if request.row["cancel_at"] is not None:
                await self._cancel(connection, request_id)
                return
            if await storage.needs_planning(connection, request_id):
                await self._plan(connection, request)
            async with connection.transaction():
                held = await storage.read_request(connection, request_id, hold=True)
                if held is not None and held.state in OPEN and held.row["cancel_at"] is None:
                    await self._settle(connection, held)
        self._not_before[request_id] = monotonic() + self._pauses * (perf_counter() - began)
        log.debug("request looked at", request=request_id, at=now.isoformat())

    async def _plan(self, connection: Connection, request: Request) -> None:
        now, row = self._context.clock(), request.row
        asked = await storage.asked_lately(connection, request.request_id, now)
        known = await read_known(
            connection,
            request.frames,
            request.wish,
            self._site,
            until=row["retry_at"] or row["submitted_at"],
            retry_at=row["retry_at"],
            asked=asked,
        )
        # A night of a hundred frames takes milliseconds; a run must not hold up the other agents.
        plan = await asyncio.to_thread(plan_request, known.states, known.nights, request.wish, self._site)
        async with connection.transaction():
            held = await storage.read_request(connection, request.request_id, hold=True)
            if held is None or held.row["cancel_at"] is not None or held.row["retry_at"] != row["retry_at"]:
                return  # ordered otherwise meanwhile; that order's event comes
            await storage.write_plan(connection, held, plan, known.gone, now)

    async def _settle(self, connection: Connection, request: Request) -> None:
        await self._write(connection, request, derive(await storage.situation_of(connection, request)))

    async def _cancel(self, connection: Connection, request_id: str) -> None:
        async with connection.transaction():
            request = await storage.read_request(connection, request_id, hold=True)
            if request is None or request.state not in OPEN or request.row["cancel_at"] is None:
                return
            now = self._context.clock()
            taken = await storage.cancel_parts(connection, request_id, now)
            known = await storage.situation_of(connection, request)
            decision = derive(Situation(True, True, known.parts, known.missing))
            await self._write(connection, request, decision)
            if taken:
                text = f"{taken} waiting reductions were taken out of the queue"
                await tell(connection, request_id, "cancelled parts", text, now)

    async def _write(self, connection: Connection, request: Request, decision: StateDecision) -> None:
        now = self._context.clock()
        if not await storage.write_state(connection, request, decision, now):
            return
        log.info(
            "request",
            request=request.request_id,
            state=decision.state.value,
            reason=decision.reason,
            parts=decision.parts,
            done=decision.done,
            reused=decision.reused,
        )
        occasion = letters.announced(request.state, decision)
        if occasion is not None:
            await self._tell(connection, request, decision, occasion)

    async def _tell(
        self, connection: Connection, request: Request, decision: StateDecision, occasion: str
    ) -> None:
        row = request.row
        if not (row["mail"] or row["webhook"]):
            return
        now, link = self._context.clock(), self._link(request.request_id)
        names = set(await storage.frame_names(connection, request.frames))
        results = await storage.results_of(connection, request.request_id)
        if row["mail"] and occasion == "started":
            await put_letter(connection, letters.start_letter(row, decision, link))
        elif row["mail"]:
            await put_letter(connection, letters.end_letter(row, decision, results, names, link))
        if row["webhook"]:
            body = letters.message(row, f"request.{occasion}", decision, results, names, link, now)
            delivery_id = f"{request.request_id}-{row['retries']}-{occasion}"
            await storage.put_delivery(connection, delivery_id, request.request_id, body, now)

    def _link(self, request_id: str) -> str:
        base = self._context.settings.web_url.rstrip("/")
        return f"{base}/requests/{request_id}" if base else ""

    async def _sweep(self) -> None:
        """Take back what a cancelled request had asked for just before."""
        now = self._context.clock()
        async with self._context.pool.acquire() as connection:
            for request_id in await storage.lately_cancelled(self._context.pool, now - SWEEP):
                async with connection.transaction():
                    await storage.cancel_parts(connection, request_id, now)
