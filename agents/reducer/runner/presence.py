"""Telling people which runners are there: on other machines nobody else tells that one died or was cut off."""

from __future__ import annotations

import time
from datetime import datetime

from paws.database import Pool
from paws.log import get_logger
from paws.notices import announce_notice
from paws.settings import Settings

log = get_logger(__name__)

WORTH_TELLING = 8.0
"""Shorter silences of the database are not told of, s."""

NOTE_EVERY = 10.0
"""Between two notes that a runner is there, s: requests tell people whether anybody takes their reductions."""


class Presence:
    """Notices of one runner about itself.

    Parameters
    ----------
    runner
        Its identity.
    """

    def __init__(self, settings: Settings, pool: Pool, runner: str) -> None:
        self._settings = settings
        self._pool = pool
        self._runner = runner
        self._answered = time.monotonic()
        self._noted = -NOTE_EVERY

    async def begin(self, at: datetime) -> None:
        """It takes jobs from now on."""
        await self._note("DELETE FROM runner_presence WHERE seen_at < now() - interval '1 day'")
        await self._tell("takes jobs", f"Runner {self._runner} takes jobs.", at)

    async def end(self, at: datetime) -> None:
        """It stops in order."""
        await self._note("DELETE FROM runner_presence WHERE runner = $1", self._runner)
        await self._tell("stopped", f"Runner {self._runner} was stopped.", at)

    async def reached(self, at: datetime) -> None:
        """The database has answered."""
        silence, self._answered = time.monotonic() - self._answered, time.monotonic()
        if silence > WORTH_TELLING:
            text = f"Runner {self._runner} had no answer of the database for {silence:.0f} s; it goes on."
            await self._tell("reached again", text, at)
        if time.monotonic() - self._noted < NOTE_EVERY:
            return
        self._noted = time.monotonic()
        await self._note(
            "INSERT INTO runner_presence (runner, engine, slots, seen_at) VALUES ($1, $2, $3, now())"
            " ON CONFLICT (runner) DO UPDATE SET seen_at = now()",
            *(self._runner, self._settings.engine, self._settings.runner_slots),
        )

    async def _note(self, statement: str, *values: object) -> None:
        try:
            await self._pool.execute(statement, *values)
        except Exception as error:
            log.warning("the presence of a runner could not be noted", error=str(error))

    async def _tell(self, state: str, text: str, at: datetime) -> None:
        try:
            async with self._pool.acquire() as connection:
                await announce_notice(connection, self._settings, f"runner:{self._runner}", state, text, at)
        except Exception as error:
            # That people are not told is no reason to stop.
            log.warning("a notice could not be written", text=text, error=str(error))
