"""The notifier's desk on a real database: what lands in the outbox folder, and that it lands once."""

from __future__ import annotations

import email
import email.policy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.ingest import storage
from agents.ingest.service import Rejection
from agents.notifier import desk as desk_module
from agents.notifier import mail
from agents.notifier.desk import Desk
from agents.runtime import AgentContext
from paws.clock import utc_now
from paws.database import open_pool
from paws.settings import Settings
from schemas.events import FrameArrived, FrameRejected, ReductionFinished
from schemas.frames import Frame
from schemas.vocabulary import Outcome, ReductionKind, ReductionState
from tests.agents.test_obslog import add_frame, set_plan, set_reduction

KEY = "b" * 64


class Sky:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def desk_for(settings: Settings, pool: Any, sky: Sky) -> Desk:
    context = AgentContext(settings, sky)
    context.pool = pool
    return Desk(context)


def letters(settings: Settings) -> list[email.message.EmailMessage]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(settings.outbox_dir.glob("*"))
    ]


def finished(frame: Frame, state: ReductionState, error: str | None = None) -> ReductionFinished:
    return ReductionFinished(
        event_id=f"{KEY}:{state}",
        night=frame.night,
        at=utc_now(),
        job_key=KEY,
        slot=f"{frame.night}/{frame.arm.ccd}/{frame.run:04d}/object",
        kind=ReductionKind.REDUCE_OBJECT,
        state=state,
        outcome=Outcome.SUCCESS if state is ReductionState.SUCCEEDED else Outcome.PERMANENT,
        subject_frame_ids=(frame.frame_id,),
        error=error,
        error_code="engine",
        attempts=3,
    )


async def test_a_failure_is_told_once_even_after_a_restart(database: Settings, tmp_path: Path) -> None:
    async with open_pool(database) as pool:
        frame = await add_frame(pool, tmp_path, 11)
        await set_plan(pool, frame, "planned", job_key=KEY)
        await set_reduction(pool, frame, "failed", KEY, "Too few sky fibres.")
        sky = Sky()
        for _ in range(2):
            desk = desk_for(database, pool, sky)
            for _ in range(2):
                await desk.take(finished(frame, ReductionState.FAILED, "Too few sky fibres."))
                await desk.tick()
        failures = [letter for letter in letters(database) if letter["X-PAWS-Kind"] == "failure"]
        assert [letter["Subject"] for letter in failures] == [
            "[PAWS Live] Failed: reduce object of 12mar10011.fits"
        ]
        text = failures[0].get_content()
        assert "Too few sky fibres." in text
        assert "/log" in text
        row = await pool.fetchrow("SELECT sent_at, location FROM notification WHERE kind = 'failure'")
        assert row["sent_at"] == sky.now
        assert row["location"].startswith(str(database.outbox_dir))


async def test_a_failure_that_nobody_wants_any_more_is_not_told(database: Settings, tmp_path: Path) -> None:
    async with open_pool(database) as pool:
        frame = await add_frame(pool, tmp_path, 11)
        await set_reduction(pool, frame, "failed", KEY, "No.")
        await pool.execute(
            "INSERT INTO slot (slot, night, job_key) SELECT slot, night, 'another' FROM reduction"
        )
        desk = desk_for(database, pool, Sky())
        await desk.take(finished(frame, ReductionState.FAILED))
        await desk.tick()
        assert letters(database) == []


async def test_a_finished_field_is_told_when_no_further_exposure_comes(
    database: Settings, tmp_path: Path
) -> None:
    async with open_pool(database) as pool:
        frame = await add_frame(pool, tmp_path, 11)
        sky = Sky()
        desk = desk_for(database, pool, sky)
        await desk.take(FrameArrived(event_id="x", night=frame.night, at=sky.now, frame=frame))
        await desk.tick()
        await set_plan(pool, frame, "planned", job_key=KEY)
        await set_reduction(pool, frame, "succeeded", KEY)
        await desk.take(finished(frame, ReductionState.SUCCEEDED))
        await desk.tick()
        assert letters(database) == [], "another exposure may follow at once"
        sky.later(10)
        await desk.tick()
        (letter,) = letters(database)
        assert (
            letter["Subject"] == "[PAWS Live] Field done: FLD195_v03 (plate 1), 1/1 reduced, night 20260312"
        )
        assert "12mar10011       blue" in letter.get_content()
        await desk.take(finished(frame, ReductionState.SUCCEEDED))
        sky.later(60)
        await desk.tick()
        await desk_for(database, pool, sky).tick()
        assert len(letters(database)) == 1

        second = await add_frame(pool, tmp_path, 12)
        await set_plan(pool, second, "planned", job_key="c" * 64)
        await set_reduction(pool, second, "succeeded", "c" * 64)
        await desk.take(finished(second, ReductionState.SUCCEEDED))
        sky.later(1200)
        await desk.tick()
        assert "2/2 reduced" in letters(database)[-1]["Subject"]


async def test_rejections_are_told_in_one_digest(database: Settings) -> None:
    async with open_pool(database) as pool:
        sky = Sky()
        desk = desk_for(database, pool, sky)
        for number in range(3):
            rejected = Rejection(
                path=f"/raw/260312/ccd_1/12mar1{number:04d}.fits",
                name=f"12mar1{number:04d}.fits",
                night="20260312",
                size_bytes=7,
                mtime_ns=1,
                code="truncated",
                reason="It lacks bytes.",
            )
            await storage.record_rejection(pool, rejected, sky.now)
            event: FrameRejected = rejected.event(sky.now)
            await desk.take(event)
            await desk.tick()
            sky.later(2)
        assert letters(database) == []
        sky.later(10)
        await desk.tick()
        (letter,) = letters(database)
        assert letter["Subject"] == "[PAWS Live] 3 files rejected in night 20260312"
        sky.later(60)
        await desk_for(database, pool, sky).tick()
        assert len(letters(database)) == 1


async def test_a_message_waits_for_the_mail_server(
    database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = database.model_copy(update={"smtp_url": type(database.smtp_url)("smtp://mail.example.org")})
    sent: list[str] = []
    away = True

    def send(letter: Any, _url: str) -> str:
        if away:
            raise mail.MailServerError("The mail server is away.")
        sent.append(letter["Subject"])
        return "smtp://mail.example.org"

    monkeypatch.setattr(desk_module.mail, "send", send)
    async with open_pool(settings) as pool:
        frame = await add_frame(pool, tmp_path, 11)
        await set_reduction(pool, frame, "failed", KEY, "No.")
        sky = Sky()
        desk = desk_for(settings, pool, sky)
        await desk.take(finished(frame, ReductionState.FAILED))
        await desk.tick()
        away = False
        await desk.tick()
        assert sent == [], "the next try has its pause"
        sky.later(3)
        await desk.tick()
        assert len(sent) == 1
        sky.later(600)
        await desk.tick()
        assert len(sent) == 1
