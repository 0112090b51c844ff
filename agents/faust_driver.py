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
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

#: For Tansu [ms]: short, because every event pays it; not shorter, because an idle worker asks this often.
TANSU_FETCH_WAIT_MS = 10
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
    """Faust's consumer with our thread, which begins where the group stopped and says where that is."""

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
