"""The process that publishes uploaded tables: it takes a slot, works off what waits, and ends."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Final

from paws.database import DATABASE_TROUBLES, Connection, connect
from paws.errors import PawsError, RetriableError
from paws.log import configure_logging, get_logger
from paws.settings import Settings, load_settings
from paws.tasks import in_background
from paws.vo.publish import queue
from paws.vo.publish.queue import MOST_TRIES, Claimed
from paws.vo.publish.run import publish_file

log = get_logger(__name__)

_NICE: Final = 10
_TOLD_EVERY: Final = 0.5
"""Seconds between two words about how far it is."""


@dataclass(slots=True)
class _Progress:
    stage: str = "opening"
    rows: int = 0

    def step(self, stage: str, rows: int) -> None:
        self.stage, self.rows = stage, rows


async def work_off(settings: Settings) -> int:
    """Publish what waits until nothing waits any more.

    Returns
    -------
    int
        How many were published or failed; 0 where as many processes are at work as there may be.
    """
    connection = await connect(settings)
    try:
        slot = await queue.take_slot(connection, settings.tap_publish_at_once)
        if slot is None:
            return 0
        await queue.take_back(connection, slot)
        await queue.sweep(connection, settings)
        done = 0
        while (claimed := await queue.claim(connection, settings, slot)) is not None:
            await _publish(connection, settings, claimed)
            done += 1
        return done
    finally:
        await connection.close()


async def _publish(connection: Connection, settings: Settings, claimed: Claimed) -> None:
    progress = _Progress()
    async with in_background(_tell(connection, claimed.publication_id, progress)):
        state, message = await _outcome(settings, claimed, progress)
    await queue.finish(connection, claimed.publication_id, state, message, progress.rows)
    if state != "waiting":
        await asyncio.to_thread(queue.remove_folder, settings, claimed.publication_id)


async def _outcome(settings: Settings, claimed: Claimed, progress: _Progress) -> tuple[str, str]:
    """Publish an upload: its new state, with words for whoever sent it."""
    try:
        table = await publish_file(
            settings, claimed.wish, claimed.file, claimed.kind, claimed.metadata, progress.step
        )
    except RetriableError as error:
        if claimed.tries < MOST_TRIES:
            await asyncio.sleep(1)
            return "waiting", error.message
        return "failed", error.message
    except PawsError as error:
        return "failed", error.message
    except DATABASE_TROUBLES as error:
        log.warning("a table cannot be published", table=str(claimed.wish.name), error=repr(error))
        if claimed.tries < MOST_TRIES:
            return "waiting", "The database was away on the way; it is tried again."
        return "failed", f"The database did not take it: {error}."
    except Exception as error:
        # Whatever a file can do to its reader, the next one gets its turn.
        log.exception("a table cannot be published", table=str(claimed.wish.name), error=repr(error))
        return "failed", "Something unexpected went wrong; the log of the server has the details."
    return "published", "\n".join(table.warnings)


async def _tell(connection: Connection, publication_id: str, progress: _Progress) -> None:
    told = (progress.stage, progress.rows)
    while True:
        await asyncio.sleep(_TOLD_EVERY)
        if (progress.stage, progress.rows) != told:
            told = (progress.stage, progress.rows)
            await queue.tell(connection, publication_id, *told)


def main() -> None:
    """Work off what waits, giving way to whatever reduces and serves."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level, "publisher")
    os.nice(_NICE)
    asyncio.run(work_off(settings))


if __name__ == "__main__":
    main()
