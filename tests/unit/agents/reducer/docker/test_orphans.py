from __future__ import annotations

from dataclasses import replace

import pytest

from agents.reducer.engines.docker.orphans import Found, fate

IDLE = Found(running=True, executing=False, owned=False, roomless=False, recipe="r")


@pytest.mark.parametrize(
    ("changes", "action", "words"),
    [
        ({}, "adopt", "idle"),
        ({"owned": True}, "leave", "living runner"),
        ({"owned": True, "running": False}, "leave", "living runner"),
        ({"owned": True, "executing": True, "recipe": "s"}, "leave", "living runner"),
        ({"roomless": True}, "remove", "folders are gone"),
        ({"running": False}, "remove", "ended"),
        ({"executing": True}, "remove", "middle of a command"),
        ({"recipe": "s"}, "remove", "another way"),
    ],
)
def test_what_becomes_of_a_container(changes, action, words):
    decision = fate(replace(IDLE, **changes), "r")
    assert decision.action == action
    assert words in decision.reason
