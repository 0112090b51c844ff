"""CPU seconds of every verb, and how long a season's science exposures take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import numpy as np

from paws.bench.field import Arm, Reducer

GOALS = {"make_tlm": 3.0, "reduce_arc": 3.0, "reduce_fflat": 2.0, "reduce_object": 1.5}
"""CPU seconds to stay below."""

MEMORY = 1e9
"""Bytes that a process may hold."""


def by_verb(arms: list[Arm]) -> dict[str, float]:
    """Median CPU seconds of each verb over the frames of all arms."""
    verbs = {
        verb: [s for arm in arms for s in arm.seconds.get(verb, [])] for arm in arms for verb in arm.seconds
    }
    return {verb: float(np.median(seconds)) for verb, seconds in verbs.items()}


def many(arms: list[Arm], exposures: int, jobs: int) -> dict[str, float]:
    """Reduce the science frames of both arms over and over.

    Each process has its own folder of products, as the runner's work folders are, and takes the next
    exposure as soon as it is free.

    Returns
    -------
    dict
        ``exposures``, ``jobs``; ``wall`` and ``cpu`` seconds; ``peak``, the most memory that any process
        held [byte]; ``minutes_for_960``.
    """
    with ExitStack() as stack:
        pool = [stack.enter_context(Reducer()) for _ in range(jobs)]
        folders = [arms[0].folder.parent / f"bench{i}" for i in range(jobs)]
        for reducer, folder in zip(pool, folders, strict=True):
            folder.mkdir(exist_ok=True)
            # The first command waits until the process is warm, which is not measured.
            reducer.run(folder, "help")
        threads = stack.enter_context(ThreadPoolExecutor(jobs))
        tickets = iter(count())
        started = time.monotonic()
        shares = [
            threads.submit(_share, reducer, folder, arms, tickets, exposures)
            for reducer, folder in zip(pool, folders, strict=True)
        ]
        cpu = sum(share.result() for share in shares)
        wall = time.monotonic() - started
        peak = max(reducer.peak for reducer in pool)
    return {
        "exposures": exposures,
        "jobs": jobs,
        "wall": wall,
        "cpu": cpu,
        "peak": peak,
        "minutes_for_960": wall / exposures * 16.0,
    }


def _share(reducer: Reducer, folder: Path, arms: list[Arm], tickets: Iterator[int], exposures: int) -> float:
    """CPU seconds of the exposures that fall to one process; the tickets are shared by all."""
    frames = [(arm, name) for arm in arms for name in arm.science]
    cpu = 0.0
    while (ticket := next(tickets)) < exposures:
        arm, name = frames[ticket % len(frames)]
        cpu += reducer.run(
            arm.folder, "reduce_object", f"{name}.fits", *arm.calibrations, "-KEEP_INTERMEDIATE", "0",
            "-OUT_DIRNAME", str(folder),
        )  # fmt: skip
    return cpu
