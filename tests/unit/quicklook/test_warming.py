"""What a warm process has compiled: everything, since images keep the kernels where nothing can be written."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quicklook import warming

COLD = """
import importlib
import pkgutil

from numba.core.registry import CPUDispatcher

import quicklook
from quicklook.warming import warm_kernels

warm_kernels()
kernels = {}
for module in pkgutil.iter_modules(quicklook.__path__, "quicklook."):
    if not module.name.endswith("__main__"):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, CPUDispatcher):
                kernels[module.name, name] = value
assert len(kernels) > 20, kernels
# Of a kernel that others call, its callers hold the code.
called = {name for kernel in kernels.values() for name in kernel.py_func.__code__.co_names}
print(*sorted(name for (_, name), kernel in kernels.items() if not kernel.signatures and name not in called))
"""


@pytest.mark.parametrize(
    ("script", "deadline", "said"),
    [
        ("raise SystemExit(3)", 60.0, "ended with status 3"),
        ("import time; time.sleep(60)", 0.01, "took longer than 0.01 s"),
        ("", 60.0, ""),
    ],
)
def test_installing_goes_on_whatever_becomes_of_the_process_beside(
    monkeypatch, capsys, script, deadline, said
):
    done, processes = [], []

    class Watched(subprocess.Popen):
        def __init__(self, *args):
            super().__init__(*args)
            processes.append(self)

    monkeypatch.setattr(warming.subprocess, "Popen", Watched)
    monkeypatch.setattr(warming, "BESIDE", ("-c", script))
    monkeypatch.setattr(warming, "DEADLINE", deadline)
    monkeypatch.setattr(warming, "_warm_others", lambda: done.append("others"))
    monkeypatch.setattr(warming, "warm_kernels", lambda: done.append("all"))
    warming.warm_beside()
    assert done == ["others", "all"]
    assert processes[0].returncode is not None, "nothing is left running"
    out = capsys.readouterr().out
    assert (said in out) if said else out == ""


def test_no_kernel_is_left_cold():
    done = subprocess.run(
        [sys.executable, "-c", COLD], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
