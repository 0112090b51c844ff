"""Write a whole night, or let it happen frame by frame."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from simulator.errors import InvalidPlanError
from simulator.observe import Observatory
from simulator.plan import ExposurePlan, NightPlan
from simulator.writer import (
    Existing,
    WrittenFrame,
    check_absent,
    frame_bytes,
    write_slowly,
    write_targets,
    write_truth,
    write_whole,
)

_SLOW_WRITE_SECONDS = 1.6
_SLOW_PIECES = 16


def write_night(
    out_dir: str | Path,
    plan: NightPlan,
    truth_dir: str | Path | None = None,
    *,
    jobs: int | None = None,
    existing: Existing | str = Existing.REFUSE,
) -> list[WrittenFrame]:
    """Write all frames of a night as fast as the machine can and return them in the order of the plan.

    Parameters, errors and speed are those of `write_frames`.
    """
    return list(write_frames(out_dir, plan, truth_dir, jobs=jobs, existing=existing))


def write_frames(
    out_dir: str | Path,
    plan: NightPlan,
    truth_dir: str | Path | None = None,
    *,
    jobs: int | None = None,
    existing: Existing | str = Existing.REFUSE,
) -> Generator[WrittenFrame, None, None]:
    """Write all frames of a night, yielding each in the order of the plan.

    The kernels release the interpreter lock, so `jobs` threads use as many cores; the bytes written do
    not depend on their number. Closing the generator stops the work.

    Parameters
    ----------
    out_dir : path
        Raw folder; ``YYMMDD/ccd_1`` and ``ccd_2`` are made in it.
    plan : NightPlan
        From `simulator.plan.plan_night`.
    truth_dir : path, optional
        Also write the truth of every frame, and ``targets.ecsv``.
    jobs : int, optional
        Frames rendered at once; the number of cores by default.
    existing : Existing
        What to do with frames already there; those skipped are not yielded.

    Raises
    ------
    FrameExistsError
        A frame is there and `existing` is ``refuse``.
    OSError
        The folder cannot be written.
    """
    policy = Existing(existing)
    check_absent(plan, Path(out_dir), policy)
    return _write(Path(out_dir), plan, _optional_path(truth_dir), _jobs(jobs), policy)


def _write(
    out: Path, plan: NightPlan, truth: Path | None, jobs: int, policy: Existing
) -> Generator[WrittenFrame, None, None]:
    observatory = Observatory(plan)
    if truth is not None:
        write_targets(truth, observatory)
    wanted = (each for each in _frames(plan) if not _skipped(out, *each, policy))
    with ThreadPoolExecutor(jobs, thread_name_prefix="simulator") as pool:

        def start(exposure: ExposurePlan, arm: str) -> Future[WrittenFrame]:
            return pool.submit(_write_frame, observatory, exposure, arm, out, truth)

        # A frame in memory is some 150 MB: keep no more going than there are threads, and one waiting.
        going = [start(*each) for each in islice(wanted, jobs + 1)]
        try:
            while going:
                frame = going.pop(0).result()
                going.extend(start(*each) for each in islice(wanted, 1))
                yield frame
        finally:
            for future in going:
                future.cancel()


def stream_night(
    out_dir: str | Path,
    plan: NightPlan,
    cadence: float,
    slow_write: bool = False,
    *,
    truth_dir: str | Path | None = None,
    jobs: int | None = None,
    existing: Existing | str = Existing.REFUSE,
) -> Generator[WrittenFrame, None, None]:
    """Let a night happen: every `cadence` seconds an exposure ends and its arms are read out together.

    The next exposure is rendered while this one is awaited, so the cadence is kept as long as the machine
    renders fast enough. Closing the iterator stops the night.

    Parameters
    ----------
    out_dir : path
        Raw folder.
    plan : NightPlan
        From `simulator.plan.plan_night`.
    cadence : float
        Seconds from one read-out to the next; 0 writes as fast as frames are ready.
    slow_write : bool
        Write in place under the final name over about a second and a half, instead of renaming.
    truth_dir : path, optional
        Also write truth; always before the frame itself appears.
    jobs : int, optional
        Frames rendered at once; the number of cores by default.
    existing : Existing
        What to do with frames already there; skipped exposures take no time.

    Yields
    ------
    WrittenFrame
        Each as soon as it is complete; both arms of an exposure follow each other at once.

    Raises
    ------
    InvalidPlanError
        The cadence is negative or longer than an hour.
    FrameExistsError
        A frame is there and `existing` is ``refuse``.
    """
    if not 0.0 <= cadence <= 3600.0:
        raise InvalidPlanError(f"cadence must be 0 to 3600 s, got {cadence:g}")
    out, truth = Path(out_dir), _optional_path(truth_dir)
    policy = Existing(existing)
    check_absent(plan, out, policy)
    return _stream(out, plan, cadence, slow_write, truth, _jobs(jobs), policy)


def _stream(
    out: Path, plan: NightPlan, cadence: float, slow_write: bool, truth: Path | None, jobs: int,
    policy: Existing,
) -> Generator[WrittenFrame, None, None]:  # fmt: skip
    observatory = Observatory(plan)
    if truth is not None:
        write_targets(truth, observatory)
    exposures = (
        (exposure, arms)
        for exposure in plan
        if (arms := [arm for arm in plan.arms if not _skipped(out, exposure, arm, policy)])
    )
    # Rendering and writing have a pool each: slow writes must not hold up the next exposure.
    with (
        ThreadPoolExecutor(jobs, thread_name_prefix="simulator") as render,
        ThreadPoolExecutor(len(plan.arms), thread_name_prefix="detector") as write,
    ):

        def prepare(exposure: ExposurePlan, arms: list[str]) -> tuple[ExposurePlan, list[Future[_Ready]]]:
            return exposure, [render.submit(_render, observatory, exposure, arm, truth) for arm in arms]

        ahead = [prepare(*each) for each in islice(exposures, 2)]
        due = time.monotonic()
        try:
            while ahead:
                _, futures = ahead.pop(0)
                ready = [future.result() for future in futures]
                time.sleep(max(due - time.monotonic(), 0.0))
                due = max(due, time.monotonic()) + cadence
                writes = [write.submit(_put, out, frame, content, slow_write) for frame, content in ready]
                ahead.extend(prepare(*each) for each in islice(exposures, 1))
                for done in writes:
                    yield done.result()
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()


_Ready = tuple[WrittenFrame, bytes]


def _render(observatory: Observatory, exposure: ExposurePlan, arm: str, truth: Path | None) -> _Ready:
    frame = observatory.expose(exposure, arm)
    content = frame_bytes(observatory, exposure, arm, frame)
    path = exposure.paths[arm]
    if truth is not None:
        write_truth(truth, path, frame.truth)
    report = WrittenFrame(
        path=path,
        run=exposure.run,
        arm=arm,
        frame_class=exposure.frame_class.value,
        object_name=exposure.object_name,
        exposed=exposure.seconds,
        size=len(content),
    )
    return report, content


def _put(out: Path, frame: WrittenFrame, content: bytes, slow_write: bool) -> WrittenFrame:
    path = out / frame.path
    if slow_write:
        write_slowly(path, content, lambda: time.sleep(_SLOW_WRITE_SECONDS / _SLOW_PIECES))
    else:
        write_whole(path, content)
    return replace(frame, path=path)


def _write_frame(
    observatory: Observatory, exposure: ExposurePlan, arm: str, out: Path, truth: Path | None
) -> WrittenFrame:
    return _put(out, *_render(observatory, exposure, arm, truth), slow_write=False)


def _frames(plan: NightPlan) -> Iterator[tuple[ExposurePlan, str]]:
    for exposure in plan:
        for arm in plan.arms:
            yield exposure, arm


def _skipped(out: Path, exposure: ExposurePlan, arm: str, policy: Existing) -> bool:
    return policy is Existing.SKIP and (out / exposure.paths[arm]).exists()


def _jobs(jobs: int | None) -> int:
    if jobs is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= jobs <= 64:
        raise InvalidPlanError(f"jobs must be 1 to 64, got {jobs}")
    return jobs


def _optional_path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
