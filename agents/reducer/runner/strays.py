"""Jobs that the queue takes for being done though nobody does them.

Whoever ends a job tells the queue. Where that cannot be written, because the database's disk is full or it dies just
then, the runner lives on, and its signs of life keep the job its own for ever: nobody else would take it, and nothing
else of its slot would begin.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from agents.reducer.queue import PLACE_QUEUE, queue_of, take_back
from paws.database import Pool
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)


class Strays:
    """Notices such jobs, and puts those back that stay so for as long as a lease lasts.

    Parameters
    ----------
    identity
        Of the runner that looks.
    working
        Keys of the reductions that it is doing now.
    patience
        Seconds.
    """

    def __init__(self, identity: str, working: Callable[[], Collection[str]], patience: float) -> None:
        self._identity = identity
        self._working = working
        self._patience = patience
        self._since: dict[tuple[int, int], float] = {}

    async def take_back(self, pool: Pool, settings: Settings) -> int:
        """Look once.

        Returns
        -------
        int
            Number of jobs that were put back into the queue.
        """
        # A runner's own list says what it does; a reduction that does not run is done by nobody, whoever has the job.
        rows = await pool.fetch(
            """
            SELECT j.id, j.attempts FROM procrastinate_jobs j
            LEFT JOIN reduction r ON r.job_key = j.queueing_lock
            WHERE j.status = 'doing' AND j.queue_name = ANY($1::text[])
                AND (r.job_key IS NULL OR r.state <> 'running' OR r.runner = $2)
                AND NOT coalesce(j.queueing_lock, '') = ANY($3::text[])
            """,
            [queue_of(settings.engine), PLACE_QUEUE],
            self._identity,
            list(self._working()),
        )
        now = time.monotonic()
        seen = {(row["id"], row["attempts"]) for row in rows}
        self._since = {key: self._since.get(key, now) for key in seen}
        overdue = [job for (job, _), since in self._since.items() if now - since > self._patience]
        if not overdue:
            return 0
        async with pool.acquire() as connection, connection.transaction():
            taken = await take_back(connection, overdue)
        log.warning("the queue was not told that these had ended; they are looked at again", jobs=taken)
        return len(taken)
