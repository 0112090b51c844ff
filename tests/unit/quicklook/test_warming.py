"""What a warm process has compiled: everything, since images keep the kernels where nothing can be written."""

from __future__ import annotations

import subprocess
import sys

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


def test_no_kernel_is_left_cold():
    done = subprocess.run(
        [sys.executable, "-c", COLD], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
