"""Faust's Kafka driver with a fetch wait and a start of reading of our own: the one place that knows its inside.

Faust 0.15.3 fixes the time that a broker may hold back an answer to a fetch at 1,500 ms
(``faust/transport/drivers/aiokafka.py``, ``_create_worker_consumer``). Apache Kafka answers as soon as any
of the partitions asked for has data, so there the value hardly matters. Tansu waits it out whenever one of
the partitions asked for is empty, so there it is the time that every event waits at every hop.
``docs/explanation/broker.md`` has the measurements.

After a rebalance Faust goes back to what the group has committed, but stays where it is in a partition of which
nothing was committed yet: a message that was the very first and in hand would never come again. Here reading
begins at the partition's first message then, and where it began is noted, so that a consumer can tell whether
the first message that it is given is the one that was due.

Faust also empties the buffers of all streams whenever it lets messages flow, which it does several times in the
course of one rebalance, and it may read from streams before the last of these: what it has read by then is lost to
the agents, and is counted as done when a later one is. Here no stream is read from the beginning of a rebalance
until the last step of it, after the position was set back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, cast

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

#: For Tansu [ms]: short, because every event pays it; not shorter, because an idle worker asks this often.
TANSU_FETCH_WAIT_MS = 10
#: Pause between two looks whether streams may be read [s].
CLOSED_PAUSE = 0.02
#: For Apache Kafka [ms]: the clients' own default; an idle worker asks twice a second.
KAFKA_FETCH_WAIT_MS = 500


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, whose consumer fetches with the wait of its transport."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        if not hasattr(consumer, "_fetch_max_wait_ms"):
            raise RuntimeError(
                "This version of aiokafka keeps its fetch wait elsewhere: agents/faust_driver.py must follow."
            )
        # Read when the consumer is started, which Faust does afterwards.
        consumer._fetch_max_wait_ms = cast(PromptTransport, transport).fetch_wait_ms
        return consumer


class _Consumer(driver.Consumer):
    """Faust's consumer with our thread, which begins where the group stopped and says where that is.

    Streams are closed when a rebalance begins, and opened when, in this order, their partitions were resumed, their
    position was set back, and messages flow. Changelogs of tables are read meanwhile.
    """

    _resumed = _sought = _open = False

    def _close(self) -> None:
        self._resumed = self._sought = self._open = False

    def stop_flow(self) -> None:
        """Stop reading; a rebalance begins."""
        self._close()
        super().stop_flow()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take what we were given; recovery of the tables follows."""
        self._close()
        await super().on_partitions_assigned(assigned, generation_id)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Read from these again: changelogs first, streams when the tables are recovered."""
        resumed = set(tps)
        self._resumed |= any(not self._is_changelog_tp(tp) for tp in resumed)
        super().resume_partitions(resumed)

    async def perform_seek(self) -> None:
        """Set the positions back; see `seek_to_committed`."""
        await super().perform_seek()
        self._sought = self._resumed

    def resume_flow(self) -> None:
        """Let messages flow; the buffers of the streams have just been emptied."""
        self._open = self._sought
        super().resume_flow()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's own
        if not self._open and active_partitions is not None:
            active_partitions = {tp for tp in active_partitions if self._is_changelog_tp(tp)}
            if not active_partitions:
                await self.sleep(CLOSED_PAUSE)
                return {}
        return await super()._getmany(active_partitions, timeout)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's own
        """Messages, but none of a stream that was being read when a rebalance began: it comes again."""
        async for tp, message in super().getmany(timeout):
            if self._open or self._is_changelog_tp(tp):
                yield tp, message

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to the first message that the group has not done, in every partition that we were given."""
        committed = await super().seek_to_committed()
        streams = {tp: offset for tp, offset in committed.items() if not self._is_changelog_tp(tp)}
        earliest = await self.earliest_offsets(*streams) if streams else {}
        # None is committed by nobody; what lies before the earliest was removed after its time.
        unseen = {tp: first for tp, first in earliest.items() if (streams[tp] or 0) <= first}
        if unseen:
            await self.seek_wait(unseen)
        starts = cast(PromptTransport, self.transport).starts
        for tp, offset in streams.items():
            starts[tp.topic, tp.partition] = max(offset or 0, earliest[tp])
        return committed


class PromptTransport(driver.Transport):
    """Faust's Kafka transport with a fetch wait that can be chosen.

    Attributes
    ----------
    fetch_wait_ms : int
        How long the broker may wait for data before it answers a fetch [ms].
    starts : dict
        By topic and partition, the offset at which reading began when it was last assigned.
    """

    Consumer = _Consumer
    fetch_wait_ms: int = KAFKA_FETCH_WAIT_MS

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.starts: dict[tuple[str, int], int] = {}


def fetch_promptly(
    app: faust.App, fetch_wait_ms: int, starts: dict[tuple[str, int], int] | None = None
) -> None:
    """Give an app's consumer its fetch wait. To be called before the app starts.

    Parameters
    ----------
    app : faust.App
        The app, as made by its factory.
    fetch_wait_ms : int
        How long the broker may wait for data before it answers a fetch [ms]; see the module's constants.
    starts : dict, optional
        Where to note at which offsets reading begins; see `PromptTransport`.

    Raises
    ------
    ValueError
        The wait is not between 1 ms and 60 s.
    """
    if not 1 <= fetch_wait_ms <= 60_000:
        raise ValueError(f"A fetch wait of {fetch_wait_ms} ms is not between 1 and 60000.")
    transport = PromptTransport(app.conf.broker_consumer, app)
    transport.fetch_wait_ms = fetch_wait_ms
    if starts is not None:
        transport.starts = starts
    app.transport = transport
