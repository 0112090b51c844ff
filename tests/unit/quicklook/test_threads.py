"""A command that runs alone keeps to one thread, and numpy is not there before it said so."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from quicklook.threads import VARIABLES

SCRIPT = """
import json, os, sys
import quicklook.batch, quicklook.cli
before = [m for m in ("numpy", "numba", "scipy") if m in sys.modules]
sys.argv = ["paws-aaorun", "help"]
quicklook.cli.main()
print(json.dumps([before, {name: os.environ.get(name) for name in %r}]))
"""


def told(**given: str) -> tuple[list[str], dict[str, str]]:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | given
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT % (VARIABLES,)],
        capture_output=True, text=True, check=True, timeout=120, env=environment,
    )  # fmt: skip
    before, variables = json.loads(done.stdout.splitlines()[-1])
    return before, variables


def test_one_thread_before_numpy_is_imported():
    before, variables = told()
    assert before == []
    assert variables == dict.fromkeys(VARIABLES, "1")


def test_what_the_user_asked_for_stays():
    assert told(OMP_NUM_THREADS="2")[1]["OMP_NUM_THREADS"] == "2"
