"""How many threads the numeric libraries may start."""

from __future__ import annotations

import os

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def keep_to_one_thread() -> None:
    """Let this process compute in one thread, unless the environment says otherwise.

    Frames are what is reduced side by side; threads of a linear algebra library on matrices as small as these
    only wait for each other. Must be called before numpy is imported, which reads the variables once.
    """
    for name in VARIABLES:
        os.environ.setdefault(name, "1")
