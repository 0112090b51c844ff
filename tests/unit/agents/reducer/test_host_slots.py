"""Slots of a host: shared by processes, freed with them."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys

import pytest

from agents.reducer.runner.host_slots import HostSlots, Share

_HOLDER = """
import sys, time
from agents.reducer.runner.host_slots import HostSlots
slots = HostSlots(int(sys.argv[1]), sys.argv[2])
print(slots.take(int(sys.argv[3])), flush=True)
time.sleep(600)
"""


@pytest.fixture
def system():
    return secrets.token_hex(8)


def test_slots_are_shared(system):
    with HostSlots(5, system) as one, HostSlots(5, system) as other, HostSlots(5, system) as third:
        assert one.take(3) == 3
        assert other.take(4) == 2
        assert third.take(1) == 0
        one.free()
        assert third.take(4) == 3
    with HostSlots(5, system) as again:
        assert again.take(9) == 5


def test_other_systems_have_their_own(system):
    with HostSlots(1, system) as one, HostSlots(1, f"{system}-other") as other:
        assert (one.take(1), other.take(1)) == (1, 1)


def test_a_killed_process_frees_its_slots(system):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, "2", system, "2"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline().strip() == "2"
        with HostSlots(2, system) as slots:
            assert slots.take(1) == 0
            holder.kill()
            holder.wait()
            assert slots.take(2) == 2
    finally:
        holder.kill()
        holder.communicate()


async def test_who_finds_none_waits_and_who_got_some_takes_the_rest(system, monkeypatch):
    monkeypatch.setattr("agents.reducer.runner.host_slots.LOOK_INTERVAL", 0.01)
    with HostSlots(3, system) as one, HostSlots(3, system) as other, HostSlots(3, system) as third:
        first, second, last = Share(one, 2), Share(other, 9), Share(third, 1)
        await first.begin()
        await second.begin()
        assert (first.held, second.held, second.wanted) == (2, 1, 3)
        waiting = asyncio.create_task(last.begin())
        growing = asyncio.create_task(second.grow())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert not growing.done()
        waiting.cancel()
        assert second.unserved() == 1
        one.free()
        await asyncio.wait_for(growing, 60)
        assert (second.held, second.unserved(), second.unserved()) == (3, 2, 0)
        # There is no more to be had.
        assert await _pending(second.grow())


async def test_without_a_limit_all_is_held_at_once(system):
    with HostSlots(0, system) as slots:
        share = Share(slots, 4)
        await share.begin()
        assert (share.held, share.unserved()) == (4, 4)
        assert await _pending(share.grow())


async def _pending(work):
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.05)
    try:
        return not task.done()
    finally:
        task.cancel()
