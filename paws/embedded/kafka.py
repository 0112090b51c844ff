"""A one-node Apache Kafka broker (KRaft) from its own jars, for tests and for machines without Docker.

It needs Java 17 or newer, and Maven once, to bring the jars that ``infra/kafka/pom.xml`` names. Production
runs Kafka as ``infra/compose.yaml`` shows; this broker has one node, a small heap and a private folder.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from paws.embedded.broker_probe import ask_broker
from paws.embedded.errors import BinaryNotFoundError, ServiceFailedError
from paws.embedded.ports import LOOPBACK, free_port, is_free
from paws.embedded.process import ProcessSpec

#: Names a folder of jars; then Maven is not needed.
JARS_ENVIRONMENT = "PAWS_KAFKA_JARS"
#: Bringing about 45 jars over a slow line [s].
MAVEN_DEADLINE = 900.0
#: Formatting takes about a second, a start three; slow machines are allowed for [s].
FORMAT_DEADLINE = 120.0
READY_DEADLINE = 120.0

#: Small enough for a test machine; quick to begin, for it lives minutes.
JAVA_OPTIONS = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}
num.partitions=1
# Topics are declared with their partitions; one made by a mistake in a name must be noticed.
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# There is one worker: nobody else is worth waiting for.
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
controlled.shutdown.enable=false
"""

LOGGING = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="STDOUT"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="STDOUT"/></Root>
  </Loggers>
</Configuration>
"""


def find_java() -> str:
    """Find the Java runtime.

    Raises
    ------
    BinaryNotFoundError
        There is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        raise BinaryNotFoundError(
            "Java was not found. Install a Java runtime, version 17 or newer, or set JAVA_HOME to one."
        )
    return java


def bring_jars(pom: Path) -> Path:
    """Bring Kafka's jars with Maven, unless they are there already; return their folder.

    The folder is ``target/jars`` beside the pom. Several processes may ask at once; one of them works.

    Raises
    ------
    BinaryNotFoundError
        There is no Maven, or it failed; its last lines are in the message.
    """
    given = os.environ.get(JARS_ENVIRONMENT)
    if given:
        if not any(Path(given).glob("kafka_*.jar")):
            raise BinaryNotFoundError(f"{JARS_ENVIRONMENT} names {given}, which holds no kafka_*.jar.")
        return Path(given)
    # Maven takes relative paths from the folder of the pom, and not from the present one.
    pom = pom.resolve()
    target = pom.parent / "target"
    target.mkdir(exist_ok=True)
    jars = target / "jars"
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(jars.glob("kafka_*.jar")) and jars.stat().st_mtime >= pom.stat().st_mtime:
            return jars
        _run_maven(pom, target / "new-jars")
        shutil.rmtree(jars, ignore_errors=True)
        (target / "new-jars").rename(jars)
        os.utime(jars)
    return jars


def _run_maven(pom: Path, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BinaryNotFoundError(
            f"Maven (mvn) was not found, which brings Kafka's jars. Install it, or set {JARS_ENVIRONMENT} to a "
            "folder of Kafka's jars (the libs folder of its binary release)."
        )
    shutil.rmtree(folder, ignore_errors=True)
    command = [maven, "--batch-mode", "--quiet", "--file", str(pom), "dependency:copy-dependencies"]
    finished = subprocess.run(
        [*command, f"-Dpaws.jars={folder}"],
        capture_output=True,
        text=True,
        timeout=MAVEN_DEADLINE,
        check=False,
    )
    if finished.returncode != 0 or not any(folder.glob("kafka_*.jar")):
        said = (finished.stdout + finished.stderr)[-1500:]
        raise BinaryNotFoundError(f"Maven could not bring Kafka's jars named in {pom}:\n{said}")


class KafkaBroker:
    """A Kafka broker on the loopback address, for a supervisor.

    Its data stay in the folder: started again there, it has its topics and offsets still. The incarnation,
    which is the cluster id, changes only with a new folder.

    Parameters
    ----------
    folder : Path
        Private folder for its data; made if absent.
    jars : Path
        Folder of jars, as `bring_jars` returns.
    log_file : Path, optional
        Default ``kafka.log`` in the folder.
    port : int, optional
        Port to use; a free one is chosen when absent.
    """

    def __init__(
        self, folder: Path, jars: Path, *, log_file: Path | None = None, port: int | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.log_file = log_file or self.folder / "kafka.log"
        self._jars = jars.absolute()
        self._java = find_java()
        self._fixed = port is not None
        self._port = port or free_port()
        self._controller_port = free_port()
        self._was_ready = False

    @property
    def address(self) -> str:
        """Host and port, as Kafka clients want their bootstrap server."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """Address as Faust wants it."""
        return f"kafka://{self.address}"

    @property
    def incarnation(self) -> str:
        """The cluster id; empty before the first start in this folder."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "cluster-id").read_text().strip()
        return ""

    def _java_command(self, main: str, *arguments: str) -> list[str]:
        settings = f"-Dlog4j2.configurationFile={(self.folder / 'log4j2.xml').as_uri()}"
        return [self._java, *JAVA_OPTIONS, settings, "-cp", f"{self._jars}/*", main, *arguments]

    def _begin(self) -> None:
        """Before every start: write the configuration, and format the data folder if it is new."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._was_ready:
            if not self._fixed and not is_free(self._port):
                self._port = free_port()
            if not is_free(self._controller_port):
                self._controller_port = free_port()
        # Backslashes and line ends mean something in this format, blanks in the middle do not.
        folder = str(self.folder / "data").replace("\\", "\\\\")
        (self.folder / "server.properties").write_text(
            PROPERTIES.format(host=LOOPBACK, port=self._port, controller=self._controller_port, folder=folder)
        )
        (self.folder / "log4j2.xml").write_text(LOGGING)
        if not self.incarnation:
            self._format()

    def _format(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22].replace("-", "_")
        properties = str(self.folder / "server.properties")
        finished = subprocess.run(
            self._java_command("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", properties),
            capture_output=True,
            text=True,
            timeout=FORMAT_DEADLINE,
            check=False,
        )
        if finished.returncode != 0:
            said = (finished.stdout + finished.stderr)[-2000:]
            raise ServiceFailedError("kafka", "could not format its data folder", said)
        temporary = self.folder / ".cluster-id"
        temporary.write_text(cluster_id)
        temporary.rename(self.folder / "cluster-id")

    async def is_ready(self, _pid: int = 0) -> bool:
        """Whether this broker, and no other, answers on the port."""
        answer = await ask_broker(LOOPBACK, self._port)
        expected = await asyncio.to_thread(lambda: self.incarnation)
        ready = answer is not None and answer.brokers > 0 and answer.cluster_id == expected
        self._was_ready = self._was_ready or ready
        return ready

    def process_spec(self, name: str = "kafka") -> ProcessSpec:
        """Describe the broker for a supervisor."""
        return ProcessSpec(
            name=name,
            argv=lambda: self._java_command("kafka.Kafka", str(self.folder / "server.properties")),
            log_file=self.log_file,
            folder=self.folder,
            ready=self.is_ready,
            ready_deadline=READY_DEADLINE,
            stop_signal=signal.SIGTERM,
            stop_deadline=20.0,
            before_start=self._begin,
        )
