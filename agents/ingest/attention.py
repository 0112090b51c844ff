"""A file that ingest has in mind until it is settled: what was seen of it and since when. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agents.ingest.completeness import Notice
from agents.ingest.folders import Sighting
from agents.ingest.inspect import Inspection

_STRENGTH = {Notice.FOUND: 0, Notice.CLOSED: 1, Notice.MOVED: 2}


@dataclass
class Attention:
    """What is known of a file that is not settled.

    Attributes
    ----------
    notice
        Strongest sign for the content last seen.
    noticed_at
        When that sign came.
    changed_at
        Monotonic time at which a change was seen, or of the first sight.
    seen_changing
        Whether a change was seen; otherwise the file may have been quiet long before the first sight.
    inspection
        Of the content last seen, kept so that a file that waits is not read again.
    failures
        Tries to record it that failed, for the pause before the next.
    """

    path: str
    sighting: Sighting | None = None
    notice: Notice = Notice.FOUND
    noticed_at: datetime | None = None
    changed_at: float = 0.0
    seen_changing: bool = False
    inspection: Inspection | None = None
    failures: int = 0
    _pending: Notice | None = None
    _pending_at: datetime | None = None

    def notify(self, notice: Notice, at: datetime) -> None:
        """Take a notice. It holds for the content that is seen next."""
        if self._pending is None or _STRENGTH[notice] > _STRENGTH[self._pending]:
            self._pending = notice
            self._pending_at = at

    def observe(self, sighting: Sighting, now: float) -> None:
        """Take what the file looks like now (monotonic time)."""
        notice, noticed_at = self._pending, self._pending_at
        self._pending = self._pending_at = None
        if self.sighting is None:
            self.changed_at = now
        elif sighting.signature != self.sighting.signature:
            self.changed_at, self.seen_changing = now, True
            # The sign was for other content.
            self.notice, self.noticed_at, self.inspection = Notice.FOUND, None, None
        elif sighting.changed_ns != self.sighting.changed_ns:
            self.inspection = None
        self.sighting = sighting
        if notice is not None and (self.noticed_at is None or _STRENGTH[notice] > _STRENGTH[self.notice]):
            self.notice, self.noticed_at = notice, noticed_at

    def quiet(self, now: float, wall_clock: float) -> float:
        """Seconds since the file last changed.

        Parameters
        ----------
        now
            Monotonic time.
        wall_clock
            Seconds since the epoch, to compare with the file's time.
        """
        watched = now - self.changed_at
        if self.seen_changing or self.sighting is None:
            return watched
        return max(watched, wall_clock - self.sighting.signature.mtime_ns / 1e9)
