"""How the kernels are compiled: once for every machine, and so that they may run beside other threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

Function = Callable[..., Any]

SUMS = {"reassoc", "contract"}
"""Sums may be taken in vector registers: an order fixed by the compiler, the same in every process."""


def kernel(function: Function) -> Function:
    """Compile a function when it is first called, and keep the code.

    Divisions by zero give infinity, as numpy's do: tests for them are a tenth of what there is to compile.
    """
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def adding_kernel(function: Function) -> Function:
    """As `kernel`, for functions that spend their time on sums."""
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy", fastmath=SUMS)(function)
    return compiled
