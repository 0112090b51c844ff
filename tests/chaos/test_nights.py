"""Short disturbed nights with every kind of disturbance, on real services; `paws chaos` has the long ones."""

from __future__ import annotations

import asyncio
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
from paws.chaos.telescope import make_frames
from paws.chaos.workplace import Workplace
from paws.embedded.errors import BinaryNotFoundError
from paws.embedded.kafka import bring_jars
from tests.containers.daemons import QUICKLOOK, client_of, may_start_one

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SEED = 11


@pytest.fixture(scope="module")
def workplace():
    # Every account may enter: where root runs the tests, the database runs as another.
    folder = Path(tempfile.mkdtemp(prefix="paws-chaos-"))
    made = Workplace(folder)
    made.prepare()
    asyncio.run(make_frames(folder / "frames", SEED, exposures=1))
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


KILL, PAUSE = FaultKind.KILL, FaultKind.PAUSE
SCHEDULE = (
    # Moment and length in seconds; apart where one would hide another: who is dead sees no folder go.
    (2, KILL, "runner", 0),
    (5, FaultKind.DISK_FULL, "work folder", 8),
    (16, FaultKind.FOLDER_AWAY, "raw folder", 14),
    (17, KILL, "worker", 0),
    (19, PAUSE, "web", 3),
    (24, KILL, "web", 0),
    (26, KILL, "engine", 0),
    (32, FaultKind.CLOCK_STEP, "ingest", 9),
    (33, PAUSE, "runner", 3),
    (37, KILL, "postgres", 0),
    (43, FaultKind.CLOCK_STEP, "runner", 9),
    (44, KILL, "ingest", 0),
    (50, PAUSE, "ingest", 3),
    (48, FaultKind.NETWORK_CUT, "far runner", 14),
    (54, FaultKind.CLOCK_STEP, "worker", 9),
    (66, KILL, "far runner", 0),
    (67, PAUSE, "worker", 3),
    (71, FaultKind.REPEATED, "events", 0),
    (75, PAUSE, "postgres", 3),
    (80, PAUSE, "broker", 3),
    (86, KILL, "broker", 0),
    (95, KILL, "system", 0),
    (97, KILL, "engine", 0),
)


def faults_of(schedule):
    amounts = {FaultKind.CLOCK_STEP: -1800.0, FaultKind.REPEATED: 40.0}
    return tuple(
        Fault(number, float(at), kind, target, float(lasts), amounts.get(kind, 0.0))
        for number, (at, kind, target, lasts) in enumerate(sorted(schedule, key=lambda row: row[0]), start=1)
    )


@pytest.mark.chaos
def test_a_fault_of_every_kind(observe):
    if os.geteuid() != 0:
        pytest.skip("a small disk and a second host can be made by root only")
    if not find_faketime() or far_host.why_not():
        pytest.skip(far_host.why_not() or "libfaketime is not installed")
    faults = faults_of(SCHEDULE)
    assert {fault.label for fault in faults} == labels((*KILLS, *PAUSES, *SURROUNDINGS, *FAR))
    report = observe(NightPlan(1, "everything", "light", 96.0, faults, far_runner=True))
    # An engine works for a moment only; a night may be over before one is met. All else is always there.
    assert_as_if_nothing_had_happened(report, {fault.label for fault in faults} - {"kill: engine"})


@pytest.mark.kafka
def test_kills_on_apache_kafka(observe, workplace):
    try:
        workplace.jars = bring_jars(ROOT / "infra" / "kafka" / "pom.xml")
    except BinaryNotFoundError as error:
        pytest.skip(f"no Apache Kafka here: {error}")
    targets = ("worker", "broker", "runner")
    faults = tuple(
        Fault(number, 5.0 * number, FaultKind.KILL, target) for number, target in enumerate(targets, 1)
    )
    report = observe(NightPlan(5, "kafka", "light", 20.0, faults, kafka=True))
    assert_as_if_nothing_had_happened(report, {f"kill: {target}" for target in targets})


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
    faults = (
        Fault(1, 4.0, FaultKind.KILL, "container"),
        Fault(2, 12.0, FaultKind.KILL, "docker", lasts=2.0),
        Fault(3, 20.0, FaultKind.KILL, "runner"),
    )
    report = observe(NightPlan(6, "containers", "docker", 20.0, faults))
    assert_as_if_nothing_had_happened(report, {fault.label for fault in faults})
