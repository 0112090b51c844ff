"""Notices: what people must see of the machinery itself, brought into the status feed sooner or later.

What has to be told often happens while the database is away, or is that it went away. So a notice is first a
small file in a spool folder, which outlives a kill of whoever wrote it, and then a row of the outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from paws.clock import Clock, night_of, utc_now
from paws.database import DATABASE_TROUBLES, Connection, connect
from paws.errors import PawsError
from paws.log import get_logger
from paws.outbox import announce, status
from paws.settings import Settings

log = get_logger(__name__)

SPOOL_NAME = Path("run") / "notices"
"""The spool, below the data folder."""

LONGEST_PAUSE = 2.0
"""Between two tries to reach the database, s."""

MOST_KEPT = 1000
"""Notices kept while the disk takes no file: what a night can bring, and no more memory than that."""


@dataclass(frozen=True)
class Notice:
    """Something that people must see.

    Attributes
    ----------
    subject
        What it is about, such as ``process:worker``; a later notice of the same subject replaces it on pages.
    state
        One or two words: ``ended``, ``ready``, ``away``.
    text
        A sentence for people.
    at
        ISO 8601, UTC.
    facts
        For programs.
    """

    subject: str
    state: str
    text: str
    at: str
    facts: dict[str, Any] = field(default_factory=dict)


async def announce_notice(
    connection: Connection,
    settings: Settings,
    subject: str,
    state: str,
    text: str,
    at: datetime,
    **facts: Any,
) -> None:
    """Announce a notice in the transaction that is open, where the database is at hand anyway."""
    notice = Notice(subject, state, text, at.isoformat(), facts)
    await announce(connection, [_status_event(notice, settings.site_longitude)])


class NoticeDesk:
    """Takes notices at once, and brings them into the status feed when the database can be reached.

    Parameters
    ----------
    data
        The data folder, which holds the spool.
    """

    def __init__(self, data: Path, clock: Clock = utc_now) -> None:
        self._spool = data / SPOOL_NAME
        self._clock = clock
        self._numbers = itertools.count()
        self._unwritten: list[Notice] = []
        self._wake = asyncio.Event()

    def tell(self, subject: str, state: str, text: str, **facts: Any) -> None:
        """Take a notice. Returns at once and raises nothing: telling must not stop what is told of."""
        notice = Notice(subject, state, text, self._clock().isoformat(), facts)
        try:
            self._write(notice)
        except OSError as error:
            log.warning("a notice waits in memory; the disk does not take it", text=text, error=str(error))
            self._unwritten = [*self._unwritten, notice][-MOST_KEPT:]
        self._wake.set()

    async def deliver(self, settings: Settings) -> None:
        """Bring notices into the feed until cancelled.

        Parameters
        ----------
        settings
            With the database.
        """
        pause = 0.1
        while True:
            self._wake.clear()
            try:
                await self.deliver_once(settings)
                pause = 0.1
            except (PawsError, *DATABASE_TROUBLES) as error:
                log.info("notices wait for the database", error=str(error), pause=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            await self._wake.wait()

    async def deliver_once(self, settings: Settings) -> int:
        """Bring into the feed what is there now.

        Returns
        -------
        int
            Number of notices.

        Raises
        ------
        PawsError, one of DATABASE_TROUBLES
            If the database does not take them; they are kept.
        """
        spooled = await asyncio.to_thread(self._read)
        unwritten = list(self._unwritten)
        if not spooled and not unwritten:
            return 0
        connection = await connect(settings)
        try:
            async with connection.transaction():
                await announce(
                    connection,
                    [
                        _status_event(notice, settings.site_longitude)
                        for notice in [*(notice for _, notice in spooled), *unwritten]
                    ],
                )
        finally:
            with contextlib.suppress(*DATABASE_TROUBLES):
                await connection.close(timeout=2)
        # Told twice when we are killed here; lost never.
        for path, _ in spooled:
            path.unlink(missing_ok=True)
        self._unwritten = self._unwritten[len(unwritten) :]
        return len(spooled) + len(unwritten)

    def _write(self, notice: Notice) -> None:
        self._spool.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.json"
        temporary = self._spool / f".{name}"
        try:
            temporary.write_text(json.dumps(asdict(notice)))
            temporary.replace(self._spool / name)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _read(self) -> list[tuple[Path, Notice]]:
        found: list[tuple[Path, Notice]] = []
        if not self._spool.is_dir():
            return found
        for path in sorted(self._spool.iterdir()):
            if path.name.startswith("."):
                continue
            try:
                found.append((path, Notice(**json.loads(path.read_text()))))
            except (OSError, ValueError, TypeError) as error:
                log.warning("a notice cannot be read and is left out", path=str(path), error=str(error))
                path.unlink(missing_ok=True)
        return found


def _status_event(notice: Notice, longitude: float) -> Any:
    at = datetime.fromisoformat(notice.at)
    return status(
        "notice",
        notice.subject,
        notice.state,
        night_of(at, longitude),
        at,
        {"text": notice.text, **notice.facts},
    )
