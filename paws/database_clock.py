"""The database's time, which every process of a system shares, whatever its own machine's clock says."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

from paws.clock import utc_now
from paws.database import DATABASE_TROUBLES, Pool
from paws.errors import PawsError
from paws.log import get_logger
from paws.notices import announce_notice
from paws.settings import Settings

log = get_logger(__name__)

TOLERANCE = timedelta(seconds=2)
"""A clock that is off by more is told of."""

LOOK_INTERVAL = 2.0


class DatabaseClock:
    """Tells the database's time between two looks at it, by this machine's monotonic clock.

    A machine's clock may be stepped at any moment, backwards too; what one process writes as a time of waking
    and the database compares with its own would then be an hour away.

    Parameters
    ----------
    process
        Whose clock it is, for notices.
    """

    def __init__(self, settings: Settings, process: str) -> None:
        self._settings = settings
        self._process = process
        self._base: datetime | None = None
        self._measured = 0.0
        self._wrong = False

    def now(self) -> datetime:
        """The database's time, aware, in UTC; the machine's own until it was asked for the first time."""
        if self._base is None:
            return utc_now()
        return self._base + timedelta(seconds=time.monotonic() - self._measured)

    async def look(self, pool: Pool) -> timedelta:
        """Ask the database for its time.

        Returns
        -------
        timedelta
            By how much this process's clock is ahead.
        """
        async with pool.acquire() as connection:
            asked = time.monotonic()
            base = await connection.fetchval("SELECT clock_timestamp()")
            answered = time.monotonic()
            own = utc_now()
            # The answer was true somewhere between question and answer.
            self._base, self._measured = base, (asked + answered) / 2
            ahead = own - self.now()
            wrong = abs(ahead) > TOLERANCE + timedelta(seconds=answered - asked)
            if wrong != self._wrong:
                await self._tell(connection, ahead, wrong)
                self._wrong = wrong
        return ahead

    async def _tell(self, connection: object, ahead: timedelta, wrong: bool) -> None:
        seconds = ahead.total_seconds()
        text = (
            f"The clock of {self._process} is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the "
            "database's. Work goes on by the database's; check the time service of the machine."
            if wrong
            else f"The clock of {self._process} agrees with the database's again."
        )
        log.log(30 if wrong else 20, text)
        await announce_notice(
            connection,
            self._settings,
            f"clock:{self._process}",
            "wrong" if wrong else "right",
            text,
            self.now(),
            ahead=round(seconds, 3),
        )

    async def follow(self, pool: Pool) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look(pool)
            except (PawsError, *DATABASE_TROUBLES) as error:
                log.debug("the database does not tell the time", error=str(error))
            await asyncio.sleep(LOOK_INTERVAL)
