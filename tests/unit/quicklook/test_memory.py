"""A warm process keeps the memory of one frame for the next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, numpy as np
from quicklook.memory import keep_memory
if {keep}: assert keep_memory()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for i in range(6):
    if i == 2: before = faults()
    np.ones(2**22)
print(faults() - before)
"""


def page_faults(*, keep: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(keep=keep)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no such settings")
def test_an_array_as_large_as_the_last_takes_no_fresh_pages():
    assert page_faults(keep=True) < 0.2 * page_faults(keep=False)


ROOM = """
import resource
from quicklook.memory import keep_memory
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
assert keep_memory()
print(peak() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no such settings")
def test_room_that_is_not_used_costs_nothing():
    done = subprocess.run(
        [sys.executable, "-c", ROOM], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(done.stdout) < 20_000, "kilobytes"


def test_other_systems_are_left_as_they_are(monkeypatch):
    from quicklook.memory import keep_memory

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_memory() is False
