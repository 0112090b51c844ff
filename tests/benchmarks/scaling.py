"""Throughput against the number of runners, with an engine that sleeps; and what a job costs besides the engine."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.reducer.intake.storage import take_request
from paws.database import Pool
from paws.settings import Settings, as_environment
from schemas.vocabulary import ReductionKind
from tests.support.reductions import (
    AT,
    add_frame,
    frame_of,
    reduction_of,
    request_of,
    want,
    write_raw,
    write_spectra_product,
)

MOST_PROCESSES = 4
DEADLINE = 600.0

_UNDER_WAY = "SELECT EXISTS (SELECT FROM reduction WHERE state IN ('queued', 'running', 'retrying'))"


@dataclass(frozen=True)
class Figures:
    """Of one number of runners.

    Attributes
    ----------
    overhead_ms
        Wall-clock time of a job beyond the engine's, for each slot.
    processor_ms
        Processor time of the runners for a job.
    """

    runners: int
    processes: int
    jobs: int
    engine_seconds: float
    seconds: float
    jobs_per_second: float
    overhead_ms: float
    processor_ms: float

    def as_dict(self) -> dict[str, float]:
        """For printing."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


async def measure(
    settings: Settings, pool: Pool, folder: Path, runners: int, rounds: int, engine_seconds: float
) -> Figures:
    """Carry out so many jobs for each of so many runners, which are spread over a few processes."""
    processes = min(runners, MOST_PROCESSES)
    product = folder / "product.fits"
    await asyncio.to_thread(_prepare, product)
    jobs = runners * rounds
    await _park_jobs(pool, folder, jobs, first=1000 * runners)
    settings = settings.model_copy(update={"runner_slots": runners // processes, "runner_heartbeat": 5.0})
    started = [await _start(settings, engine_seconds, product) for _ in range(processes)]
    try:
        for process in started:
            await _line(process)
        began = time.perf_counter()
        await pool.execute(
            "UPDATE procrastinate_jobs SET queue_name = 'reduce-builtin' WHERE status = 'todo'"
        )
        await pool.execute(
            'SELECT pg_notify(\'procrastinate_queue_v1#reduce-builtin\', \'{"type": "job_inserted", "job_id": 0}\')'
        )
        await _await_done(pool)
        seconds = time.perf_counter() - began
    finally:
        for process in started:
            if process.returncode is None:
                process.terminate()
    used = sum([float(await _line(process)) for process in started])
    for process in started:
        await process.wait()
    return Figures(
        runners=runners,
        processes=processes,
        jobs=jobs,
        engine_seconds=engine_seconds,
        seconds=seconds,
        jobs_per_second=jobs / seconds,
        overhead_ms=1000.0 * (seconds / rounds - engine_seconds),
        processor_ms=1000.0 * used / jobs,
    )


def _prepare(product: Path) -> None:
    product.parent.mkdir(parents=True, exist_ok=True)
    write_spectra_product(product)


async def _park_jobs(pool: Pool, folder: Path, jobs: int, first: int) -> None:
    """Ask for reductions, in a queue that nobody looks at."""
    for number in range(first, first + jobs):
        frame = frame_of(write_raw(folder / str(first), number % 10000, content=str(number).encode()))
        await add_frame(pool, frame)
        reduction = reduction_of(ReductionKind.REDUCE_BIAS, [frame])
        await want(pool, reduction)
        await take_request(pool, request_of(reduction), AT)
        await pool.execute("UPDATE procrastinate_jobs SET queue_name = 'parked' WHERE status = 'todo'")


async def _start(settings: Settings, engine_seconds: float, product: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.sleeping_runner", str(engine_seconds), str(product)),
        env={**os.environ, **as_environment(settings)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        line = await process.stdout.readline()
    assert line, "a runner ended early"
    return line.decode().strip()


async def _await_done(pool: Pool) -> None:
    async with asyncio.timeout(DEADLINE):
        while await pool.fetchval(_UNDER_WAY):  # noqa: ASYNC110 - runners are other processes
            await asyncio.sleep(0.02)
