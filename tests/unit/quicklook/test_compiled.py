"""Compiled code is kept, and compiled again when anything that it was compiled with changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import quicklook

INNER = """
from quicklook.compiled import kernel
SIZE = {size}

@kernel
def inner(x):
    return {factor} * x
"""

OUTER = """
from inner import SIZE, inner
from quicklook.compiled import kernel

@kernel
def outer(x):
    return later(x) + SIZE

@kernel
def later(x):
    return inner(x)
"""

ASK = "from outer import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"


def answer(folder, factor, size):
    """What the kernel gives, and how often kept code was taken, in a fresh process."""
    (folder / "inner.py").write_text(INNER.format(factor=factor, size=size))
    (folder / "outer.py").write_text(OUTER)
    path = os.pathsep.join([str(folder), *sys.path])
    told = subprocess.run(
        [sys.executable, "-B", "-c", ASK], env=os.environ | {"PYTHONPATH": path}, cwd=folder,
        capture_output=True, text=True, check=True, timeout=300,
    ).stdout  # fmt: skip
    return tuple(map(int, told.split()))


def test_kept_code_counts_for_what_it_was_compiled_with(tmp_path):
    assert answer(tmp_path, factor=2, size=10) == (12, 0)
    assert answer(tmp_path, factor=2, size=10) == (12, 1), "kept"
    assert answer(tmp_path, factor=3, size=10) == (13, 0), (
        "a kernel of another module, by way of a later function"
    )
    assert answer(tmp_path, factor=3, size=20) == (23, 0), "a constant of another module"
    assert answer(tmp_path, factor=3, size=20) == (23, 1)


def test_every_kernel_is_kept_in_this_way():
    others = [
        path.name
        for path in Path(quicklook.__file__).parent.glob("*.py")
        if "njit" in path.read_text() and path.name != "compiled.py"
    ]
    assert others == []


def test_kernels_run_as_they_are_written_for_a_debugger():
    code = "from quicklook.medians import middle_of; import numpy as np; print(middle_of(np.array([3.0, 1.0, 2.0]), 3))"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=300
    ).stdout
    assert float(told) == 2.0
