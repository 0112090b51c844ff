"""One night: observed, disturbed, waited for until it has settled, judged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from paws.chaos.containers import KillContainers
from paws.chaos.far_host import FarHost
from paws.chaos.faults import CONTAINER, DAEMON, DATABASE, FAR_RUNNER, PRODUCTS, WORK, Fault, FaultKind
from paws.chaos.feed import is_visible, read_feed
from paws.chaos.leftovers import open_leases, orphans, stray_files
from paws.chaos.plan import NightPlan
from paws.chaos.products import Product, read_shelf
from paws.chaos.recovery import time_recovery
from paws.chaos.running import AwayError, SystemUnderTest
from paws.chaos.strikes import Disturber, Kill, Pause, Strike
from paws.chaos.surroundings import (
    ClockStep,
    FolderAway,
    FullDisk,
    Repeat,
    set_clock,
    small_disk,
    small_disk_below,
)
from paws.chaos.system import CLOCKS, forget_clocks
from paws.chaos.telescope import NIGHT, Telescope
from paws.chaos.verdict import Verdict, judge
from paws.chaos.workplace import Workplace, scratch_of
from paws.embedded.postgres import EmbeddedPostgres
from paws.embedded.postgres_place import find_cluster
from paws.settings import Settings

SETTLING = {"light": 300.0, "builtin": 900.0, "docker": 300.0}
"""Longest time from the last disturbance until all is done, s: real reductions take theirs."""

LOOK_EVERY = 0.5
QUIET = 6.0
"""So long all must stay done, s: a group of biases is combined after a quiet time of three."""

STUCK = {"light": 90.0, "builtin": 300.0, "docker": 90.0}
"""Without any change for so long nothing more is expected, s: longer than any wait between two tries, and than a
real reduction takes on a busy machine."""

TIDYING = 45.0
"""Longest wait for what is tidied up in the background, s."""

DISK_MB = {"light": 160, "builtin": 1024, "docker": 1024}
"""Sizes of the small disks; below 64 MB of room the system takes any failure for the disk's fault."""

DATABASE_MB = 512
"""Size of the database's: its journal alone may take 200 MB of a night."""

_STATES = """
SELECT name, state, coalesce(reason, '') AS reason FROM frame_status WHERE night = $1
"""
_OPEN = """
SELECT (SELECT count(*) FROM reduction WHERE state IN ('queued', 'running', 'retrying')) AS reductions,
       (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
       (SELECT count(*) FROM reduction) AS known, (SELECT count(*) FROM product WHERE current) AS products,
       (SELECT count(*) FROM procrastinate_jobs) AS jobs,
       (SELECT sum(attempt + coalesce(progress, 0)) FROM reduction) AS progress
"""
_MADE = "SELECT job_key FROM product WHERE current"
_FAILED = """
SELECT r.slot || ' ' || r.kind || ': ' || coalesce(r.error, '') AS line
FROM slot s JOIN reduction r USING (job_key) WHERE r.state = 'failed'
"""
_FINAL = ("reduced", "set_aside")


@dataclass
class NightReport:
    """What was done to a night and what became of it."""

    plan: NightPlan
    strikes: list[Strike] = field(default_factory=list)
    products: tuple[Product, ...] = ()
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """Processes killed."""
        return sum(strike.fault.kind is FaultKind.KILL for strike in self.strikes)

    @property
    def unseen(self) -> list[str]:
        """Disturbances of which the status feed tells nothing."""
        return [
            f"{strike.fault.label} at {strike.at:%H:%M:%S}" for strike in self.strikes if not strike.visible
        ]


class Night:
    """Carries out a plan.

    Parameters
    ----------
    frames
        Folder of the raw frames.
    tell
        Takes lines for whoever watches.
    """

    def __init__(
        self, plan: NightPlan, workplace: Workplace, frames: Path, seed: int, tell: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._workplace = workplace
        self._frames = frames
        self._source = random.Random(f"{seed}/{plan.number}/moments")  # noqa: S311 - to be repeated
        self._tell = tell
        self._folder = workplace.folder / f"night{plan.number}"
        self._raw = self._folder / "raw"
        self._report = NightReport(plan)
        self._far: FarHost | None = None
        self._observing = 0.0

    async def run(self, reference: Sequence[Product] | None) -> NightReport:
        """Observe, disturb, settle, judge.

        Parameters
        ----------
        reference
            Products of the undisturbed night; None makes this one the reference.
        """
        began = time.monotonic()
        self._raw.mkdir(parents=True)
        if self._plan.engine == "docker":
            await self._workplace.open_daemon()
        scratch = scratch_of(self._folder / "data")
        await asyncio.to_thread(scratch.mkdir)
        async with self._system() as system:
            await self._observe(system)
            unsettled = await self._settle(system, {item.job_key for item in reference or ()})
            left = await self._tidy(system)
            shelf = await read_shelf(system)
            feed = await read_feed(system)
        for strike in self._report.strikes:
            strike.visible = is_visible(strike, feed)
        if self._has(FaultKind.CLOCK_STEP):
            await asyncio.to_thread(forget_clocks)
        left += orphans(system, scratch)
        if self._plan.engine == "docker" and self._workplace.daemon is not None:
            left += [
                f"container {name}" for name in await asyncio.to_thread(self._workplace.daemon.containers)
            ]
        self._report.products = shelf.products
        self._report.verdict = judge(
            shelf.products if reference is None else reference,
            shelf.products,
            broken=shelf.broken,
            unsettled=unsettled,
            left=left,
        )
        self._report.seconds = time.monotonic() - began
        if self._report.verdict.good and not self._report.unseen:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        return self._report

    # -- the system ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _system(self) -> AsyncIterator[SystemUnderTest]:
        settings = self._workplace.settings(self._plan, self._folder / "data", self._raw)
        environment = self._workplace.environment(settings)
        clocks = self._clocks()
        if clocks:
            environment[CLOCKS] = json.dumps({name: str(file) for name, file in clocks.items()})
        system = SystemUnderTest(settings, environment)
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(self._make_disks, settings, stack)
            stack.push_async_callback(system.stop)
            await system.start()
            if self._plan.far_runner:
                await self._open_far_host(system, stack)
            yield system

    async def _open_far_host(self, system: SystemUnderTest, stack: AsyncExitStack) -> None:
        environment = {**self._workplace.environment(system.settings), "PAWS_DATA_DIR": str(system.data)}
        self._far = FarHost(self._plan.number, system.settings, environment, self._folder / "far-runner.log")
        stack.push_async_callback(self._far.close)
        runtime = system.runtime()
        assert runtime is not None
        await self._far.open(runtime.database_url)

    def _disks(self, settings: Settings) -> dict[str, Path]:
        """Folders whose disks may be full."""
        return {
            WORK: settings.work_dir,
            PRODUCTS: settings.products_dir,
            DATABASE: find_cluster(settings.data_dir),
        }

    def _make_disks(self, settings: Settings, stack: AsyncExitStack) -> None:
        """Small disks for what is to be full."""
        full = {fault.target for fault in self._plan.faults if fault.kind is FaultKind.DISK_FULL}
        if DATABASE in full:
            # Made first, as its maker exchanges the whole folder.
            database = EmbeddedPostgres(settings.data_dir)
            database.prepare()
            database.clear_socket_folder()
        for target in sorted(full & self._disks(settings).keys()):
            folder = self._disks(settings)[target]
            if target == DATABASE:
                stack.enter_context(small_disk_below(folder, DATABASE_MB))
            else:
                stack.enter_context(small_disk(folder, DISK_MB[self._plan.engine]))

    def _has(self, kind: FaultKind) -> bool:
        return any(fault.kind is kind for fault in self._plan.faults)

    def _clocks(self) -> dict[str, Path]:
        targets = {fault.target for fault in self._plan.faults if fault.kind is FaultKind.CLOCK_STEP}
        files = {target: self._folder / f"{target}.clock" for target in targets}
        for file in files.values():
            set_clock(file, 0.0)
        return files

    def _disturbers(self, system: SystemUnderTest) -> dict[FaultKind, Disturber]:
        disturbers: dict[FaultKind, Disturber] = {
            FaultKind.KILL: Kill(system, self._source, warm_engine=self._plan.engine == "builtin"),
            FaultKind.PAUSE: Pause(system),
            FaultKind.DISK_FULL: FullDisk(self._disks(system.settings)),
            FaultKind.FOLDER_AWAY: FolderAway(self._raw, system),
            FaultKind.CLOCK_STEP: ClockStep(
                {name: self._folder / f"{name}.clock" for name in ("worker", "runner", "ingest")}
            ),
            FaultKind.REPEATED: Repeat(system, self._source),
        }
        if self._far is not None:
            disturbers[FaultKind.NETWORK_CUT] = self._far
        return disturbers

    # -- observing and disturbing --------------------------------------------------------------------------

    async def _observe(self, system: SystemUnderTest) -> None:
        telescope = Telescope(self._frames, self._raw, self._plan.seconds, self._source)
        self._observing = time.monotonic()
        disturbers = self._disturbers(system)

        def disturber_of(fault: Fault) -> Disturber:
            if fault.target == FAR_RUNNER and self._far is not None:
                return self._far
            if fault.target in (CONTAINER, DAEMON) and self._workplace.daemon is not None:
                return KillContainers(self._workplace.daemon, self._source)
            return disturbers[fault.kind]

        async def disturb() -> None:
            began = time.monotonic()
            for _, faults in groupby(self._plan.faults, key=lambda fault: fault.round):
                async with asyncio.TaskGroup() as group:
                    for fault in faults:
                        await asyncio.sleep(began + fault.at - time.monotonic())
                        group.create_task(self._carry_out(system, disturber_of(fault), fault))
                began = time.monotonic()

        async with asyncio.TaskGroup() as group:
            group.create_task(telescope.observe())
            group.create_task(disturb())

    async def _carry_out(self, system: SystemUnderTest, disturber: Disturber, fault: Fault) -> None:
        strike = await disturber.strike(fault)
        if not strike.done:
            self._tell(f"  {fault.label}: nothing there to strike")
            return
        self._report.strikes.append(strike)
        await time_recovery(system, strike)
        shown = "not recovered" if strike.recovery is None else f"recovered in {strike.recovery:.1f} s"
        self._tell(
            f"  {time.monotonic() - self._observing:5.1f} s {fault.label}{f' for {fault.lasts:.0f} s' if fault.lasts else ''}: {shown}"
        )

    # -- after it ------------------------------------------------------------------------------------------

    async def _settle(self, system: SystemUnderTest, wanted: set[str]) -> list[str]:
        """Wait until every frame is in a final state and nothing is under way; what is not, after the deadline.

        A worker that is slow reads an event seconds after it was published, and nothing shows that until it has.
        So what the undisturbed night has is waited for too; that it is missing in the end is the verdict's matter.
        """
        expected = len(Telescope(self._frames, self._raw, 0.0, self._source).planned)
        deadline = time.monotonic() + SETTLING[self._plan.engine]
        last: object = None
        since = time.monotonic()
        problems = ["nothing could be asked"]
        while time.monotonic() < deadline:
            with contextlib.suppress(AwayError):
                problems, state = await self._look(system, expected)
                made = {row["job_key"] for row in await system.rows(_MADE)}
                if state != last:
                    last, since = state, time.monotonic()
                unchanged = time.monotonic() - since
                settled = not problems and wanted <= made and unchanged > QUIET
                if settled or unchanged > STUCK[self._plan.engine]:
                    return problems
            await asyncio.sleep(LOOK_EVERY)
        return problems

    async def _look(self, system: SystemUnderTest, expected: int) -> tuple[list[str], object]:
        frames = await system.rows(_STATES, NIGHT)
        under_way = (await system.rows(_OPEN))[0]
        failed = [row["line"] for row in await system.rows(_FAILED)]
        problems = [
            f"{row['name']} is {row['state']}: {row['reason'][:200]}"
            for row in frames
            if row["state"] not in _FINAL
        ]
        if len(frames) != expected:
            problems.append(f"{len(frames)} of {expected} frames are known")
        problems += [f"{under_way[name]} {name}" for name in ("reductions", "unpublished") if under_way[name]]
        return [*problems, *failed], (sorted(row["state"] for row in frames), under_way)

    async def _tidy(self, system: SystemUnderTest) -> list[str]:
        """What is left over; what runners tidy up in the background is waited for."""
        deadline = time.monotonic() + TIDYING
        while True:
            left = [*await open_leases(system), *await stray_files(system)]
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(LOOK_EVERY)
