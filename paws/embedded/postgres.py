"""A local PostgreSQL in a data folder: made on first use, durable, reached by a private Unix socket.

It works for ordinary users and for root, who is not allowed to run a database server: then the server runs
under an unprivileged account. No account is created, and no folder that is not ours changes its rights.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from paws.embedded.account import launch_command
from paws.embedded.errors import ServiceFailedError
from paws.embedded.postgres_binaries import find_binaries
from paws.embedded.postgres_place import PostgresPlace, find_cluster, made_by, private_folder, settle
from paws.embedded.postmaster import STOP_DEADLINE, read_postmaster, remove_stale_pid_file, stop_postmaster
from paws.embedded.process import ProcessSpec
from paws.embedded.restart import describe_status

#: The only role; it owns everything.
ROLE = "paws"
#: Number in the name of the socket; no TCP port is used unless asked for.
SOCKET_NUMBER = 5432
#: Making a database folder takes about a second; slow disks are allowed for [s].
INITDB_DEADLINE = 180.0
#: Pause between two looks at a server that starts [s].
LOOK_EVERY = 0.02

#: Small and durable. Nothing here trades safety for speed: what a transaction committed survives a power cut.
OPTIONS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "max_parallel_workers_per_gather": "0",
    # Containers often have a small /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %a ",
    "unix_socket_permissions": "0700",
}


class EmbeddedPostgres:
    """A PostgreSQL server for one data folder.

    Either under a supervisor (`process_spec`), or by itself (`start` and `stop`, or as a context manager).

    Parameters
    ----------
    data : Path
        The data folder; the database lies in its ``postgres`` folder (see `postgres_place` for root).
    binaries : Path, optional
        Folder of PostgreSQL's programs; found by itself when absent.
    database : str
        Name of the database, made on first use.
    tcp_port : int, optional
        Also listen on this port of the loopback address, with a password. Not by default.
    options : mapping, optional
        Server options over `OPTIONS`.
    log_file : Path, optional
        Default ``logs/postgres.log`` in the data folder.
    ready_deadline : float
        How long a start may take, recovery after a crash included [s].
    """

    def __init__(
        self,
        data: Path,
        *,
        binaries: Path | None = None,
        database: str = "paws",
        tcp_port: int | None = None,
        options: Mapping[str, str] | None = None,
        log_file: Path | None = None,
        ready_deadline: float = 60.0,
    ) -> None:
        self.data = data.absolute()
        self.database = database
        self.log_file = log_file or self.data / "logs" / "postgres.log"
        self._given = binaries
        self._tcp_port = tcp_port
        self._options = {**OPTIONS, **(options or {})}
        self._ready_deadline = ready_deadline
        self._place: PostgresPlace | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # -- preparing -----------------------------------------------------------------------------------------

    @property
    def place(self) -> PostgresPlace:
        """Where everything is; found on first use."""
        if self._place is None:
            needed = made_by(find_cluster(self.data))
            self._place = settle(self.data, find_binaries(self._given, needed_major=needed))
        return self._place

    def prepare(self) -> None:
        """Make the database folder if there is none, and clear what a killed server left.

        Raises
        ------
        DataFolderUnusableError, BinaryNotFoundError
            With what to change.
        ServiceFailedError
            ``initdb`` failed; its output is in the message.
        """
        cluster = self.place.cluster
        private_folder(self.place.socket_folder, self.place.account)
        if made_by(cluster) is None:
            self._make_cluster()
        remove_stale_pid_file(cluster)

    def _make_cluster(self) -> None:
        """Make the folder under another name, complete with the database; then rename it."""
        cluster = self.place.cluster
        for left in cluster.parent.glob(f".{cluster.name}-new-*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        made = cluster.with_name(f".{cluster.name}-new-{os.getpid()}")
        made.mkdir(mode=0o700)
        password = made.with_suffix(".password")
        try:
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(24) + "\n")
            account = self.place.account
            if account is not None:
                for path in (made, password):
                    os.chown(path, account.uid, account.gid)
            folder = ["-D", str(made), "--no-sync", "--no-instructions", "--no-locale", "-E", "UTF8"]
            access = [
                "-U",
                ROLE,
                "--pwfile",
                str(password),
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ]
            self._run([str(self.place.binaries.initdb), *folder, *access])
            shutil.copy2(password, made / "paws-password")
            quoted = self.database.replace('"', '""')
            single = [str(self.place.binaries.postgres), "--single", "-D", str(made), "postgres"]
            self._run(single, f'CREATE DATABASE "{quoted}"\n')
            if cluster.exists():
                cluster.rmdir()
            made.rename(cluster)
        finally:
            password.unlink(missing_ok=True)
            shutil.rmtree(made, ignore_errors=True)

    def _run(self, command: list[str], text: str = "") -> None:
        finished = subprocess.run(
            launch_command(command, account=self.place.account, death_signal=int(signal.SIGKILL)),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INITDB_DEADLINE,
            cwd="/",
            env=self._environment(),
            check=False,
        )
        # The single-user server reports an SQL error and still ends with status 0.
        if finished.returncode != 0 or "ERROR:" in finished.stdout:
            raise ServiceFailedError(
                Path(command[0]).name, f"ended with status {finished.returncode}", finished.stdout[-2000:]
            )

    @staticmethod
    def _environment() -> dict[str, str]:
        """Environment without the variables that change what PostgreSQL's programs do."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
        return {**kept, "LANG": "C", "TZ": "UTC"}

    # -- speaking to it ------------------------------------------------------------------------------------

    @property
    def _port(self) -> int:
        return self._tcp_port or SOCKET_NUMBER

    @property
    def dsn(self) -> str:
        """Connection URL by the Unix socket, for asyncpg, psycopg and libpq alike."""
        folder = quote(str(self.place.socket_folder), safe="")
        return f"postgresql://{ROLE}@/{quote(self.database, safe='')}?host={folder}&port={self._port}"

    @property
    def tcp_dsn(self) -> str | None:
        """Connection URL by TCP with its password; None unless a port was asked for."""
        if self._tcp_port is None:
            return None
        password = (self.place.cluster / "paws-password").read_text().strip()
        return (
            f"postgresql://{ROLE}:{quote(password, safe='')}@127.0.0.1:{self._tcp_port}"
            f"/{quote(self.database, safe='')}"
        )

    def command(self) -> list[str]:
        """Command line of the server."""
        fixed = {
            "listen_addresses": "127.0.0.1" if self._tcp_port is not None else "",
            "port": str(self._port),
            "unix_socket_directories": str(self.place.socket_folder),
        }
        arguments = [f"--{key}={value}" for key, value in {**self._options, **fixed}.items()]
        return [str(self.place.binaries.postgres), "-D", str(self.place.cluster), *arguments]

    def is_ready(self, pid: int | None = None) -> bool:
        """Whether the server (with this process id, if given) accepts connections."""
        found = read_postmaster(self.place.cluster)
        return found is not None and found.ready and pid in (None, found.pid)

    # -- under a supervisor --------------------------------------------------------------------------------

    def _take_over(self) -> None:
        """Prepare, and end a server that a killed supervisor left, so that the new one is a child of ours."""
        self.prepare()
        stop_postmaster(self.place.cluster)
        remove_stale_pid_file(self.place.cluster)

    def process_spec(self, name: str = "postgres") -> ProcessSpec:
        """Describe the server for a supervisor, which must hold the lock of the data folder."""

        async def ready(pid: int) -> bool:
            return await asyncio.to_thread(self.is_ready, pid)

        return ProcessSpec(
            name=name,
            argv=self.command,
            log_file=self.log_file,
            environment={"LANG": "C", "TZ": "UTC"},
            folder=Path("/"),
            ready=ready,
            ready_deadline=self._ready_deadline,
            stop_signal=signal.SIGINT,
            stop_deadline=STOP_DEADLINE,
            death_signal=signal.SIGINT,
            account=self.place.account,
            before_start=self._take_over,
            after_stop=self.clear_socket_folder,
        )

    # -- by itself -----------------------------------------------------------------------------------------

    def start(self) -> str:
        """Start the server, or adopt the one that runs here already; return the connection URL.

        A server that was started ends with the process (exactly: the thread) that started it.

        Raises
        ------
        ServiceFailedError
            It ended or was not ready in time; the message has its last lines.
        """
        starting = self.data / "run" / "postgres.lock"
        starting.parent.mkdir(parents=True, exist_ok=True)
        with starting.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.prepare()
            if not self._serves_as_asked():
                stop_postmaster(self.place.cluster)
                self._spawn_and_wait()
        return self.dsn

    def _serves_as_asked(self) -> bool:
        """Whether a live server is here, reached as this object would reach its own."""
        running = read_postmaster(self.place.cluster)
        return (
            running is not None
            and running.ready
            and running.port == self._port
            and running.socket_folder == str(self.place.socket_folder)
            and bool(running.address) == (self._tcp_port is not None)
        )

    def _spawn_and_wait(self) -> None:
        deadline = time.monotonic() + self._ready_deadline
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with self.log_file.open("ab") as log:
                before = log.tell()
                self._process = subprocess.Popen(
                    launch_command(
                        self.command(), account=self.place.account, death_signal=int(signal.SIGINT)
                    ),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env=self._environment(),
                    start_new_session=True,
                )
            while self._process.poll() is None and time.monotonic() < deadline:
                if self.is_ready(self._process.pid):
                    return
                time.sleep(LOOK_EVERY)
            written = self.log_file.read_bytes()[before:].decode("utf-8", "replace")
            if self._process.poll() is None:
                self.stop()
                raise ServiceFailedError(
                    "postgres", f"was not ready within {self._ready_deadline:g} s", written[-2000:]
                )
            # The children of a server that was killed hold its memory for a moment longer.
            if "shared memory block" not in written or time.monotonic() > deadline:
                raise ServiceFailedError(
                    "postgres", describe_status(self._process.returncode), written[-2000:], str(self.log_file)
                )
            time.sleep(10 * LOOK_EVERY)

    def stop(self) -> None:
        """Stop the server, adopted or not; harmless when none runs."""
        stop_postmaster(self.place.cluster)
        if self._process is not None:
            self._process.wait(STOP_DEADLINE)
            self._process = None
        self.clear_socket_folder()

    def clear_socket_folder(self) -> None:
        """After a stop: remove the socket's folder, with what a killed server left in it."""
        if read_postmaster(self.place.cluster) is not None:
            return
        folder = self.place.socket_folder
        with contextlib.suppress(OSError):
            for left in folder.glob(".s.PGSQL.*"):
                left.unlink()
            folder.rmdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
