"""The fetch wait really reaches the consumer that Faust makes."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import faust
import pytest

from agents.faust_driver import KAFKA_FETCH_WAIT_MS, TANSU_FETCH_WAIT_MS, PromptTransport, fetch_promptly


@pytest.fixture
def app():
    return faust.App("test", broker="kafka://127.0.0.1:1", autodiscover=False, web_enabled=False)


def new_consumer(app):
    async def nothing(*_):
        return None

    return app.transport.create_consumer(
        callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )


async def wait_of(consumer):
    with thread_of(consumer) as thread:
        made = thread._create_worker_consumer(consumer.transport)
        await made.stop()
        return made._fetch_max_wait_ms


@contextmanager
def thread_of(consumer):
    """The consumer's thread, never started; it brings an event loop that nobody else would close."""
    try:
        yield consumer._thread
    finally:
        consumer._thread.thread_loop.close()


@pytest.mark.parametrize("wait", [TANSU_FETCH_WAIT_MS, KAFKA_FETCH_WAIT_MS, 1, 60_000])
async def test_consumer_fetches_with_the_wait(app, wait):
    fetch_promptly(app, wait)
    consumer = new_consumer(app)
    assert await wait_of(consumer) == wait
    assert isinstance(consumer.transport, PromptTransport)


async def test_plain_faust_still_fixes_the_wait_which_is_why_the_driver_exists(app):
    consumer = new_consumer(app)
    assert await wait_of(consumer) == 1500


async def test_driver_says_so_when_the_library_has_moved_on(app, monkeypatch):
    fetch_promptly(app, 10)
    monkeypatch.setattr("aiokafka.AIOKafkaConsumer", lambda **_: SimpleNamespace())
    with (
        thread_of(new_consumer(app)) as thread,
        pytest.raises(RuntimeError, match=r"faust_driver\.py must follow"),
    ):
        thread._create_worker_consumer(app.transport)


@pytest.mark.parametrize("wait", [0, -1, 60_001])
def test_senseless_wait_is_refused(app, wait):
    with pytest.raises(ValueError, match="not between"):
        fetch_promptly(app, wait)
