"""Only what the suite started is signalled, and watched processes tell of their pauses."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from paws.chaos.processes import NotOursToKillError, descendants, send
from paws.embedded.events import EventKind
from paws.embedded.watch import is_stopped, pauses_told


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_a_child_of_ours_is_found_and_signalled(child):
    assert child.pid in [process.pid for process in descendants(os.getpid())]
    assert send(child.pid, signal.SIGKILL, os.getpid())
    assert child.wait(60) == -signal.SIGKILL
    assert not send(child.pid, signal.SIGKILL, os.getpid())


def test_a_process_of_somebody_else_is_left_alone(child):
    with pytest.raises(NotOursToKillError, match="does not descend"):
        send(os.getppid(), signal.SIGKILL, child.pid)
    with pytest.raises(NotOursToKillError):
        send(1, signal.SIGKILL, os.getpid())


async def test_a_pause_is_told_when_it_begins_and_when_it_ends(child):
    told = []

    async def until(number):
        async with asyncio.timeout(60):
            while len(told) < number:  # noqa: ASYNC110 - the watch tells nobody else
                await asyncio.sleep(0.02)

    async with pauses_told(child.pid, lambda kind, text: told.append((kind, text))):
        os.kill(child.pid, signal.SIGSTOP)
        await until(1)
        assert is_stopped(child.pid)
        os.kill(child.pid, signal.SIGCONT)
        await until(2)
    assert [kind for kind, _ in told] == [EventKind.PAUSED, EventKind.RESUMED]
    assert "goes on after a pause" in told[1][1]
