"""Short disturbed nights with every kind of disturbance, on real services; `paws chaos` has the long ones."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from paws.chaos import far_host
from paws.chaos.faults import FAR, KILLS, PAUSES, SURROUNDINGS, Fault, FaultKind
from paws.chaos.night import Night
from paws.chaos.plan import NightPlan
from paws.chaos.system import find_faketime
from paws.chaos.telescope import Field, make_frames
from paws.chaos.workplace import Workplace
from paws.embedded.errors import BinaryNotFoundError
from paws.embedded.kafka import bring_jars
from tests.containers.daemons import QUICKLOOK, client_of, may_start_one

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SEED = 11


@pytest.fixture(scope="module")
def workplace():
    # Every account may enter: where root runs the tests, the database runs as another.
    folder = Path(tempfile.mkdtemp(prefix="paws-chaos-"))
    made = Workplace(folder)
    made.prepare()
    asyncio.run(make_frames(folder / "frames", SEED, Field(exposures=1, biases=2, darks=0)))
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def observe(workplace):
    """Observe a night as planned."""
    references = {}

    def run(plan):
        async def both():
            try:
                if plan.engine not in references:
                    quiet = NightPlan(900 + len(references), "undisturbed", plan.engine, 0.0, ())
                    report = await Night(quiet, workplace, workplace.folder / "frames", SEED, print).run(None)
                    assert report.verdict.problems() == []
                    references[plan.engine] = report.products
                night = Night(plan, workplace, workplace.folder / "frames", SEED, print)
                return await night.run(references[plan.engine])
            finally:
                await workplace.close()

        return asyncio.run(both())

    return run


def assert_as_if_nothing_had_happened(report, kinds):
    assert report.verdict.problems() == []
    assert report.unseen == []
    done = {strike.fault.label for strike in report.strikes}
    assert done >= kinds, f"not done: {kinds - done}"
    assert [strike.fault.label for strike in report.strikes if strike.recovery is None] == []


def labels(recipes):
    return {f"{recipe.kind.value}: {recipe.target}" for recipe in recipes}


KILL, PAUSE, FULL, STEP = FaultKind.KILL, FaultKind.PAUSE, FaultKind.DISK_FULL, FaultKind.CLOCK_STEP
# Round after round, each when all of the one before has recovered: no machine is too slow for it. Together is what
# does not hide the other: who is dead sees no folder go.
PROCESSES = (
    ((KILL, "engine", 0), (PAUSE, "web", 3)),
    ((KILL, "runner", 0), (KILL, "web", 0)),
    ((KILL, "worker", 0), (PAUSE, "ingest", 3)),
    ((KILL, "ingest", 0), (PAUSE, "runner", 3)),
    ((KILL, "postgres", 0),),
    ((PAUSE, "postgres", 3), (PAUSE, "worker", 3)),
    ((PAUSE, "broker", 3),),
    ((KILL, "broker", 0),),
    ((KILL, "system", 0),),
)
AROUND = (
    ((FULL, "work folder", 6), (STEP, "ingest", 8), (FaultKind.NETWORK_CUT, "far runner", 13)),
    ((FULL, "products", 6), (STEP, "worker", 8)),
    ((FULL, "database", 6),),
    ((FaultKind.FOLDER_AWAY, "raw folder", 12), (STEP, "runner", 8), (KILL, "far runner", 0)),
    ((FaultKind.REPEATED, "events", 0),),
)


def faults_of(rounds):
    amounts = {STEP: -1800.0, FaultKind.REPEATED: 40.0}
    rows = [(number, row) for number, faults in enumerate(rounds) for row in faults]
    return tuple(
        Fault(number, 0.5, kind, target, float(lasts), amounts.get(kind, 0.0), round_)
        for number, (round_, (kind, target, lasts)) in enumerate(rows, start=1)
    )


def test_the_two_nights_have_every_kind_of_fault():
    faults = faults_of((*PROCESSES, *AROUND))
    assert {fault.label for fault in faults} == labels((*KILLS, *PAUSES, *SURROUNDINGS, *FAR))


def test_processes_are_killed_and_paused(observe):
    faults = faults_of(PROCESSES)
    report = observe(NightPlan(1, "processes", "light", 30.0, faults))
    # An engine works for a moment only; the night may be over before one is met. All else is always there.
    assert_as_if_nothing_had_happened(report, {fault.label for fault in faults} - {"kill: engine"})


def test_what_surrounds_the_system_is_disturbed(observe):
    if os.geteuid() != 0:
        pytest.skip("small disks and a second host can be made by root only")
    if not find_faketime() or far_host.why_not():
        pytest.skip(far_host.why_not() or "libfaketime is not installed")
    faults = faults_of(AROUND)
    report = observe(NightPlan(2, "surroundings", "light", 45.0, faults, far_runner=True))
    assert_as_if_nothing_had_happened(report, {fault.label for fault in faults})


@pytest.mark.chaos
@pytest.mark.kafka
def test_kills_on_apache_kafka(observe, workplace):
    try:
        workplace.jars = bring_jars(ROOT / "infra" / "kafka" / "pom.xml")
    except BinaryNotFoundError as error:
        pytest.skip(f"no Apache Kafka here: {error}")
    faults = faults_of((((KILL, "worker", 0),), ((KILL, "broker", 0),), ((KILL, "runner", 0),)))
    report = observe(NightPlan(5, "kafka", "light", 15.0, faults, kafka=True))
    assert_as_if_nothing_had_happened(report, {fault.label for fault in faults})


# docker-py leaves its end of a connection open when the daemon dies at the other.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.chaos
@pytest.mark.containers
def test_kills_of_containers_and_their_daemon(observe, workplace):
    if may_start_one():
        pytest.skip(may_start_one())
    try:
        client = client_of()
    except OSError as error:
        pytest.skip(str(error))
    try:
        if not client.images.list(QUICKLOOK):
            pytest.skip(f"there is no image {QUICKLOOK}; build it: infra/images/build.py quicklook")
    finally:
        client.close()
    workplace.image = QUICKLOOK
    faults = faults_of((((KILL, "container", 0),), ((KILL, "docker", 2),), ((KILL, "runner", 0),)))
    report = observe(NightPlan(6, "containers", "docker", 20.0, faults))
    # What it left is collected here, where it is expected, and not in another test.
    gc.collect()
    assert_as_if_nothing_had_happened(report, {fault.label for fault in faults})
