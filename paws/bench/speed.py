"""CPU seconds of every verb, and how long a season's science exposures take."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from paws.bench.field import Arm, Reducer

GOALS = {"make_tlm": 3.0, "reduce_arc": 3.0, "reduce_fflat": 2.0, "reduce_object": 1.5}
"""CPU seconds to stay below."""


def by_verb(arms: list[Arm]) -> dict[str, float]:
    """Median CPU seconds of each verb over the frames of all arms."""
    verbs = {
        verb: [s for arm in arms for s in arm.seconds.get(verb, [])] for arm in arms for verb in arm.seconds
    }
    return {verb: float(np.median(seconds)) for verb, seconds in verbs.items()}


def many(arms: list[Arm], exposures: int, jobs: int) -> dict[str, float]:
    """Reduce the science frames of both arms over and over: wall and CPU seconds.

    Each process has its own folder of products, as the runner's work folders are.
    """
    frames = [(arm, name) for arm in arms for name in arm.science]
    with ExitStack() as stack:
        pool = [stack.enter_context(Reducer()) for _ in range(jobs)]
        folders: list[Path] = []
        for i in range(jobs):
            folders.append(arms[0].folder.parent / f"bench{i}")
            folders[i].mkdir(exist_ok=True)
            # The first command waits until the process is warm, which is not measured.
            pool[i].run(folders[i], "help")
        started, cpu = time.monotonic(), 0.0
        for first in range(0, exposures, jobs):
            batch = range(first, min(first + jobs, exposures))
            for i in batch:
                arm, name = frames[i % len(frames)]
                pool[i - first].send(
                    arm.folder, "reduce_object", f"{name}.fits", *arm.calibrations, "-KEEP_INTERMEDIATE", "0",
                    "-OUT_DIRNAME", str(folders[i - first]),
                )  # fmt: skip
            cpu += sum(pool[i - first].answer("reduce_object") for i in batch)
        wall = time.monotonic() - started
    return {
        "exposures": exposures,
        "jobs": jobs,
        "wall": wall,
        "cpu": cpu,
        "minutes_for_960": wall / exposures * 16.0,
    }
