"""Figures about the work, for Prometheus: queue, leases, times, failures, lag, disk."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from paws.errors import PawsError
from paws.lag import consumer_lag
from paws.operations import Disk, Work
from paws.settings import Settings

_LAG_KEPT = 10.0
"""Seconds for which an answer of the broker serves: several Prometheus servers may ask."""


class OperationFigures:
    """Gauges of the work, in the registry of a web process.

    All of it is read from the database, the broker and the file system when it is asked for, so that runners and
    workers, which may be many and short-lived, need no address of their own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        self._jobs = gauge("paws_queue_jobs", "Jobs by queue and state", "queue", "state")
        self._oldest = gauge(
            "paws_queue_oldest_seconds", "Age of the reduction that has waited longest for a runner"
        )
        self._runners = gauge("paws_runners", "Runners that give signs of life or hold work")
        self._lease = gauge(
            "paws_lease_age_seconds",
            "Longest time since a sign of life of a runner that holds work or is alive",
        )
        self._stale = gauge("paws_leases_stale", "Runners that hold work and are silent beyond the lease")
        self._phases = gauge(
            "paws_phase_seconds",
            "Time of a phase of the reductions that succeeded in the last hour",
            "kind",
            "phase",
            "quantile",
        )
        self._ended = gauge(
            "paws_reductions_ended", "Reductions that ended in the last hour", "kind", "state"
        )
        self._failures = gauge("paws_failures", "Reductions that failed in the last hour", "code")
        self._lag = gauge("paws_consumer_lag", "Events that workers have not acknowledged", "topic")
        self._broker = gauge("paws_broker_up", "Whether the broker answers")
        self._free = gauge("paws_disk_free_bytes", "Room on the file system of a folder", "folder")
        self._size = gauge("paws_disk_size_bytes", "Size of the file system of a folder", "folder")

    def set_work(self, work: Work) -> None:
        """Note what the database says."""
        for gauge in (self._jobs, self._phases, self._ended, self._failures):
            gauge.clear()
        for (queue, state), count in work.jobs.items():
            self._jobs.labels(queue, state).set(count)
        for (kind, phase, quantile), seconds in work.phases.items():
            self._phases.labels(kind, phase, str(quantile)).set(seconds)
        for (kind, state), count in work.ended.items():
            self._ended.labels(kind, state).set(count)
        for code, count in work.failures.items():
            self._failures.labels(code).set(count)
        self._oldest.set(work.oldest_queued)
        self._runners.set(len(work.lease_ages))
        self._lease.set(max(work.lease_ages, default=0.0))
        self._stale.set(work.stale_leases)

    def set_lag(self, lag: Mapping[str, int] | None) -> None:
        """Note what the broker says, or that it does not answer."""
        self._broker.set(0 if lag is None else 1)
        self._lag.clear()
        for topic, events in (lag or {}).items():
            self._lag.labels(topic).set(events)

    def set_disks(self, disks: Mapping[str, Disk]) -> None:
        """Note how much room there is. A folder that cannot be asked is left out."""
        self._free.clear()
        self._size.clear()
        for name, disk in disks.items():
            self._free.labels(name).set(disk.free)
            self._size.labels(name).set(disk.size)


class LagDesk:
    """Asks the broker for the lag, not more often than the answer changes much."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answer: dict[str, int] | None = None
        self._asked = -_LAG_KEPT

    async def read(self) -> dict[str, int] | None:
        """Lag by topic, or None when the broker does not answer or none is set."""
        if time.monotonic() - self._asked >= _LAG_KEPT:
            # Noted before the answer, so that a broker that hangs is not asked by everyone who comes meanwhile.
            self._asked = time.monotonic()
            try:
                self._answer = await consumer_lag(self._settings)
            except PawsError:
                self._answer = None
        return self._answer
