"""How the kernels are compiled: once for every machine, and so that they may run beside other threads."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from numba import njit
from numba.core.registry import CPUDispatcher

Function = Callable[..., Any]

SUMS = {"reassoc", "contract"}
"""Sums may be taken in vector registers: an order fixed by the compiler, the same in every process."""


def kernel(function: Function) -> Function:
    """Compile a function when it is first called, and keep the code.

    Divisions by zero give infinity, as numpy's do: tests for them are a tenth of what there is to compile.
    """
    return _kept(njit(cache=True, nogil=True, error_model="numpy")(function))


def adding_kernel(function: Function) -> Function:
    """As `kernel`, for functions that spend their time on sums."""
    return _kept(njit(cache=True, nogil=True, error_model="numpy", fastmath=SUMS)(function))


def _kept(compiled: Any) -> Function:
    """Let kept code count for the kernels and constants that it was compiled with.

    numba compiles again when the function's own file changes, and what it took from other modules would stay as it was.
    What a module imports stands above its functions, so it is known by now.
    """
    function: Function = compiled
    if not isinstance(compiled, CPUDispatcher):
        # NUMBA_DISABLE_JIT, for a debugger.
        return function
    used = []
    for name, value in compiled.py_func.__globals__.items():
        if isinstance(value, CPUDispatcher):
            used.append((name, _stamped(value)._source_stamp))
        elif isinstance(value, int | float | tuple):
            used.append((name, repr(value)))
    kept = _stamped(compiled)
    kept._source_stamp = sha256(repr((kept._source_stamp, sorted(used))).encode()).hexdigest()
    return function


def _stamped(compiled: Any) -> Any:
    """Where numba notes what the kept code of a function was compiled from."""
    return compiled._cache._cache_file
