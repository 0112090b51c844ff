"""Topics count as made once a client can use them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka.errors import (
    InvalidReplicationFactorError,
    NotControllerError,
    ReplicaNotAvailableError,
    TopicAlreadyExistsError,
)

from agents import app as app_module
from agents.app import declare_topics, wait_until_led
from paws.errors import PermanentError, ServiceUnavailableError
from paws.settings import load_settings
from schemas.topics import TOPICS


def row(name, *leaders, error=0):
    partitions = [{"partition": n, "leader": leader, "error_code": error} for n, leader in enumerate(leaders)]
    return {"topic": name, "error_code": 0, "partitions": partitions}


class Broker:
    """Gives one answer after the other, and the last for ever."""

    def __init__(self, *answers):
        self.answers, self.asked = answers, 0

    async def describe_topics(self):
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.mark.parametrize(
    "early",
    [[], [row("frames")], [row("frames", 1, -1)], [row("frames", 1, 1, error=5)], [row("other", 1)]],
    ids=["unheard of", "without partitions", "without leader", "leader not available", "another"],
)
async def test_a_topic_is_waited_for_until_its_partitions_are_led(early):
    broker = Broker(early, early, [row("frames", 1, 2), row("other", -1)])
    await wait_until_led(broker, {"frames"}, 20.0)
    assert broker.asked == 3


async def test_the_wait_for_a_topic_ends():
    broker = Broker([row("frames", 1), row("products", -1)])
    with pytest.raises(ServiceUnavailableError, match=r"without a leader after .* s: night, products"):
        await wait_until_led(broker, {"frames", "products", "night"}, 0.1)


async def test_a_replica_that_is_away_is_no_matter():
    broker = Broker([row("frames", 1, error=ReplicaNotAvailableError.errno)])
    await wait_until_led(broker, {"frames"}, 20.0)
    assert broker.asked == 1


class Admin(Broker):
    """A client of a broker to which another worker declares the topics at the same time."""

    def __init__(self, *answers, existing=(), told=0):
        super().__init__(*answers)
        self.existing, self.told = existing, told

    async def start(self):
        pass

    async def close(self):
        pass

    async def list_topics(self):
        return self.existing

    async def create_topics(self, topics):
        return SimpleNamespace(topic_errors=[(topic.name, self.told, "told why") for topic in topics])

    async def describe_cluster(self):
        return {"cluster_id": "this one"}


@pytest.fixture
def declare(monkeypatch):
    settings = load_settings(broker_url="kafka://127.0.0.1:1")
    names = [settings.topic(topic.name) for topic in TOPICS]

    async def run(*answers, **facts):
        admin = Admin(*answers, **facts)
        monkeypatch.setattr(app_module, "AIOKafkaAdminClient", lambda **_: admin)
        return await declare_topics(settings), admin.asked

    return names, run


@pytest.mark.parametrize("how", ["made before", "made meanwhile"])
async def test_topics_that_another_has_just_made_are_waited_for_too(declare, how):
    names, run = declare
    early, late = [row(name) for name in names], [row(name, 1) for name in names]
    facts = {"existing": names} if how == "made before" else {"told": TopicAlreadyExistsError.errno}
    assert await run(early, late, **facts) == ("this one", 2)


async def test_a_broker_that_is_only_starting_is_asked_again_and_one_that_refuses_is_not(declare):
    _names, run = declare
    with pytest.raises(ServiceUnavailableError, match="NotController"):
        await run([], told=NotControllerError.errno)
    with pytest.raises(PermanentError, match="told why"):
        await run([], told=InvalidReplicationFactorError.errno)
