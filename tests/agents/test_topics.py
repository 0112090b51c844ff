"""Topics count as made once a client can use them."""

from __future__ import annotations

import pytest

from agents.app import wait_until_led


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
    with pytest.raises(TimeoutError):
        await wait_until_led(Broker([]), {"frames"}, 0.1)
