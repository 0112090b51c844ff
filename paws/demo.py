"""A simulated night on a live system: start, observe, watch, sum up."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from paws.clock import night_of, utc_now
from paws.database import Connection, connect
from paws.embedded.account import launch_command
from paws.embedded.events import EventKind, SupervisorEvent
from paws.embedded.priority import give_way
from paws.errors import ConfigurationError, PermanentError
from paws.nightly import NightCounts, NightSummary, count, summarise
from paws.settings import Settings
from paws.system import LiveSystem, live_system

LOOK_EVERY = 0.25
"""Between looks at the database, s."""

NICENESS = 10
"""Niceness of the simulator."""

TELLING = 20.0
"""Longest wait for the message that a field is complete, once all else has settled, s."""

STUCK_AFTER = 180.0
"""Without any change for so long after the last exposure, the night counts as stuck, s."""


@dataclass(frozen=True)
class DemoNight:
    """What is observed. Kept in the data folder, so that a second start goes on with the same night."""

    fields: int
    exposures: int
    biases: int
    darks: int
    seed: int


@dataclass
class Observation:
    """How far the simulated observing has come."""

    planned: int = 0
    finished: bool = False


def settle_night(data_dir: Path, night: DemoNight, tonight: str) -> str:
    """Date of the night to observe: tonight, or that of the same night begun here before.

    Raises
    ------
    ConfigurationError
        If the folder holds another night: its frames would have the same names and other content.
    """
    path = data_dir / "demo.json"
    wanted = asdict(night)
    if path.exists():
        kept = json.loads(path.read_text())
        if {name: kept.get(name) for name in wanted} != wanted:
            raise ConfigurationError(
                f"{data_dir} holds another simulated night. Remove that folder, or choose another with --data."
            )
        return str(kept["date"])
    (data_dir / "raw").mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(".demo.json")
    temporary.write_text(json.dumps({"date": tonight, **wanted}))
    temporary.replace(path)
    return tonight


async def run_demo(
    settings: Settings, night: DemoNight, cadence: float, *, quiet: bool, exit_when_done: bool
) -> bool:
    """Run the demo; tell whether all ended well.

    Returns
    -------
    bool
        True when no frame failed or waits (always, when a person ended a demo that stays).
    """
    began = time.monotonic()
    console = Console(stderr=True, quiet=quiet)
    date = settle_night(settings.data_dir, night, night_of(utc_now(), settings.site_longitude))

    def tell(event: SupervisorEvent) -> None:
        if event.kind not in (EventKind.STARTED, EventKind.STOPPED):
            console.print(f"[bold]{event.name}[/] {escape(event.message)}", highlight=False)

    async with live_system(settings, tell) as system:
        console.print(f"The page: [bold]{system.web_url}[/]")
        connection = await connect(system.settings)
        observing = asyncio.create_task(_observe(system, night, date, cadence, observation := Observation()))
        try:
            settled = await _watch(system, connection, date, night.fields, observation, observing, console)
            summary = await summarise(connection, date, system.settings.runner_slots)
            if exit_when_done or not settled:
                return _close(summary, time.monotonic() - began, quiet) and settled
            _print_summary(summary, Console(quiet=quiet))
            console.print(f"The night is reduced. Look at [bold]{system.web_url}[/]; Ctrl-C stops.")
            await system.supervisor.wait()
            return True
        finally:
            observing.cancel()
            await asyncio.gather(observing, return_exceptions=True)
            await connection.close()


async def _observe(
    system: LiveSystem, night: DemoNight, date: str, cadence: float, observation: Observation
) -> None:
    """Let the simulator write the night's frames into the raw folder, at the pace of a telescope."""
    arguments = {
        "--date": date,
        "--fields": night.fields,
        "--exposures": night.exposures,
        "--biases": night.biases,
        "--darks": night.darks,
        "--seed": night.seed,
        "--cadence": cadence,
    }
    command = [
        sys.executable,
        "-m",
        "simulator",
        str(system.settings.raw_dirs[0]),
        "--live",
    ]
    command += ["--json", "--existing", "skip", *(str(part) for pair in arguments.items() for part in pair)]
    process = await asyncio.create_subprocess_exec(
        # A telescope of its own: it takes no time from the reductions, and ends with the demo.
        *launch_command(command, death_signal=signal.SIGTERM),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    await asyncio.to_thread(give_way, process.pid, NICENESS)
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            document = json.loads(line)
            if document["event"] == "plan":
                observation.planned = int(document["frames"])
        if await process.wait() != 0:
            raise PermanentError(
                f"The simulator failed: {(await complaints).decode(errors='replace')[-2000:]}"
            )
        observation.finished = True
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        complaints.cancel()


async def _watch(
    system: LiveSystem,
    connection: Connection,
    date: str,
    fields: int,
    observation: Observation,
    observing: asyncio.Task[None],
    console: Console,
) -> bool:
    """Show progress until all has settled (True), or nothing moves or a person stops it (False)."""
    stop = asyncio.create_task(system.supervisor.wait())
    # A group of biases is combined after a quiet time: only after that is silence the end.
    quiet_time = system.settings.match_group_quiet + 1.5
    changed, last = time.monotonic(), None
    with _progress(console) as progress:
        observed = progress.add_task("observed", total=None, note="")
        done = progress.add_task("done", total=None, note="")
        try:
            while not stop.done():
                if observing.done():
                    observing.result()
                counts = await count(connection, date)
                total = observation.planned or None
                progress.update(observed, completed=counts.frames + counts.rejected, total=total)
                progress.update(done, completed=_done(counts), total=total, note=_note(counts))
                if counts != last:
                    changed, last = time.monotonic(), counts
                silence = time.monotonic() - changed
                arrived = observation.finished and counts.frames + counts.rejected >= observation.planned
                told = counts.fields_told >= fields or silence > TELLING
                if arrived and counts.settled and told and silence > quiet_time:
                    return True
                if observation.finished and silence > STUCK_AFTER:
                    return False
                await asyncio.wait([stop], timeout=LOOK_EVERY)
            stop.result()
            return False
        finally:
            stop.cancel()
            await asyncio.gather(stop, return_exceptions=True)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=console.quiet,
    )


def _done(counts: NightCounts) -> int:
    return sum(counts.states.get(state, 0) for state in ("reduced", "set_aside", "failed", "junked"))


def _note(counts: NightCounts) -> str:
    parts = [f"{number} {state}" for state, number in sorted(counts.states.items()) if number]
    return ", ".join([*parts, f"{counts.products} products"])


def _print_summary(summary: NightSummary, console: Console) -> None:
    console.print(
        f"Night {summary.night}: {summary.frames} frames, {summary.reduced} done ({summary.set_aside} of them set "
        f"aside for better ones), {summary.failed} failed, {summary.waiting} waiting, {summary.rejected} rejected; "
        f"{summary.products} products.",
        highlight=False,
    )
    if (
        summary.latency_p50 is not None
        and summary.latency_p95 is not None
        and summary.overhead_p95 is not None
    ):
        console.print(
            f"Science frames, complete to announced: median {summary.latency_p50:.2f} s, 95 % within "
            f"{summary.latency_p95:.2f} s; without the engine 95 % within {summary.overhead_p95:.2f} s.",
            highlight=False,
        )
    if summary.published_p50 is not None and summary.published_p95 is not None:
        console.print(
            f"Spectra in the tables of the Virtual Observatory: {summary.published_p50:.2f} s after their product in "
            f"the median, 95 % within {summary.published_p95:.2f} s.",
            highlight=False,
        )
    for line in summary.problems:
        console.print(f"  {line}", markup=False, highlight=False)


def _close(summary: NightSummary, elapsed: float, quiet: bool) -> bool:
    _print_summary(summary, Console(quiet=quiet))
    document: dict[str, Any] = {**summary.as_dict(), "seconds": round(elapsed, 3)}
    print(json.dumps(document), flush=True)
    return summary.good
