"""The notifier's desk: takes events, looks at the clock, keeps messages and delivers them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from agents.notifier import mail, messages, service, storage
from agents.runtime import AgentContext
from paws import letters
from paws.errors import NotOursError, PawsError
from paws.log import get_logger
from schemas.events import AnyEvent, FrameArrived, FrameJunked, FrameRejected, ReductionFinished
from schemas.layout import is_own
from schemas.vocabulary import ReductionState

log = get_logger(__name__)

_LOOK_BACK = timedelta(days=2)
_LETTERS_EVERY = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=5)


class Desk:
    """Decides through `service`, remembers in the database, and forgets nothing when it is killed.

    What is to be looked at again is only kept in memory; the first `tick` looks at everything of late.
    """

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._nights: dict[str, datetime] = {}
        self._rejections_due: datetime | None = None
        self._delivery_due: datetime | None = None
        self._pause = timedelta(seconds=2)
        self._started = False
        self._letters_due = datetime.min.replace(tzinfo=UTC)

    async def take(self, event: AnyEvent) -> None:
        """Take an event."""
        now = self._context.clock()
        match event:
            case ReductionFinished() if is_own(event.slot):
                raise NotOursError("it was asked for beside the night's plan; the request tells of it")
            case ReductionFinished():
                if event.state is ReductionState.FAILED:
                    await self._tell_failure(event)
                self._nights[event.night] = now
            case FrameArrived() | FrameJunked():
                # A frame of the next field is the sign that this one is done.
                self._nights[event.night] = now
            case FrameRejected():
                self._rejections_due = now
            case _:
                raise NotOursError(f"nobody wants to be told of {event.event}")

    async def tick(self) -> None:
        """Do what is due. Raises when the database is away; the next tick goes on."""
        now = self._context.clock()
        if not self._started:
            for night in await storage.recent_nights(self._context.pool, now - _LOOK_BACK):
                self._nights.setdefault(night, now)
            self._rejections_due = self._delivery_due = now
            self._started = True
        if self._rejections_due is not None and self._rejections_due <= now:
            await self._tell_rejections(now)
        for night in [night for night, due in self._nights.items() if due <= now]:
            await self._tell_fields(night, now)
        if self._letters_due <= now:
            # The pages put letters into the database; nobody announces them.
            self._letters_due = now + _LETTERS_EVERY
            await letters.drop_old_letters(self._context.pool)
            if self._delivery_due is None and await letters.letters_wait(self._context.pool):
                self._delivery_due = now
        if self._delivery_due is not None and self._delivery_due <= now:
            await self._deliver(now)

    async def _tell_failure(self, event: ReductionFinished) -> None:
        failure = await storage.failure_of(self._context.pool, event)
        decision = service.tell_failure(failure)
        if not decision.tell:
            log.info("failure not told", job_key=event.job_key, reason=decision.reason)
            return
        await self._keep(messages.failure_message(decision.notification_id, failure))

    async def _tell_rejections(self, now: datetime) -> None:
        waiting = False
        for night, files in (await storage.untold_rejections(self._context.pool)).items():
            decision = service.tell_rejections(files, night, now)
            if decision.tell:
                message = messages.rejections_message(decision.notification_id, night, files)
                if await storage.keep(self._context.pool, message, now, files):
                    self._announce(message)
            else:
                waiting = True
        self._rejections_due = now + timedelta(seconds=1) if waiting else None

    async def _tell_fields(self, night: str, now: datetime) -> None:
        fields = await storage.fields_of(self._context.pool, night)
        decisions = [service.tell_field(field, now) for field in fields]
        waits = [decision.again_after for decision in decisions if decision.again_after is not None]
        if waits:
            self._nights[night] = now + max(timedelta(seconds=1), min(waits))
        else:
            self._nights.pop(night, None)
        told = await storage.already_told(self._context.pool, [item.notification_id for item in decisions])
        for field, decision in zip(fields, decisions, strict=True):
            log.debug("field", field=field.field, night=night, tell=decision.tell, reason=decision.reason)
            if decision.tell and decision.notification_id not in told:
                await self._keep(messages.field_message(decision.notification_id, field))

    async def _keep(self, message: messages.Message) -> None:
        if await storage.keep(self._context.pool, message, self._context.clock()):
            self._announce(message)

    def _announce(self, message: messages.Message) -> None:
        log.info("message", kind=message.kind.value, subject=message.subject)
        self._delivery_due = self._context.clock()

    async def _deliver(self, now: datetime) -> None:
        """Deliver what is kept and not sent. What fails waits, longer each time."""
        failed: list[str] = []
        while True:
            async with self._context.pool.acquire() as connection, connection.transaction():
                unsent = await storage.next_unsent(connection, failed)
                if unsent is None:
                    break
                try:
                    location = await self._send(unsent)
                except (PawsError, OSError) as error:
                    log.error(
                        "a message cannot be delivered", subject=unsent.message.subject, error=str(error)
                    )
                    failed.append(unsent.message.notification_id)
                    if self._context.settings.smtp_url.get_secret_value():
                        break  # the server would keep us waiting for each
                else:
                    await storage.mark_sent(connection, unsent.message.notification_id, location, now)
        if failed:
            self._delivery_due = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        else:
            self._delivery_due = None
            self._pause = timedelta(seconds=2)

    async def _send(self, unsent: storage.Unsent) -> str:
        settings = self._context.settings
        letter = mail.compose(unsent.message, settings, unsent.created_at)
        server = settings.smtp_url.get_secret_value()
        if server:
            return await asyncio.to_thread(mail.send, letter, server)
        name = mail.outbox_name(unsent.message, unsent.created_at)
        private = unsent.message.recipient is not None
        return await asyncio.to_thread(
            mail.put_into_outbox, letter, settings.outbox_dir, name, private=private
        )
