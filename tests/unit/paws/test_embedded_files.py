"""The lock, the runtime file and the log of a data folder."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from paws.embedded.errors import DataFolderBusyError
from paws.embedded.lock import DataLock
from paws.embedded.logfile import RotatingLog
from paws.embedded.runtime import Runtime, read_runtime, remove_runtime, write_runtime

HOLD = """
import sys
from pathlib import Path
from paws.embedded.lock import DataLock
DataLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_live_holder_is_refused_at_once_by_name(tmp_path, other_holder):
    with pytest.raises(DataFolderBusyError, match=f"in use by process {other_holder.pid}.*--data"):
        DataLock(tmp_path).acquire(patience=1000.0)


def test_killed_holder_frees_the_folder(tmp_path, other_holder):
    other_holder.kill()
    other_holder.wait()

    with DataLock(tmp_path) as lock:
        assert lock.holder().pid == os.getpid()
        assert lock.held_by_somebody()
    assert not lock.held_by_somebody()


def test_remains_of_a_dead_holder_are_waited_for_and_then_named(tmp_path):
    """A guard keeps the lock for its dead supervisor, whose id is in the file."""
    with DataLock(tmp_path) as lock:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        lock.path.write_text(json.dumps({"pid": gone.pid, "command": "paws up", "since": "now"}))
        with pytest.raises(DataFolderBusyError, match="left behind"):
            DataLock(tmp_path).acquire(patience=0.1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\x00"])
def test_unreadable_lock_file_holds_nobody_back(tmp_path, text):
    lock = DataLock(tmp_path)
    lock.path.parent.mkdir()
    lock.path.write_text(text)

    assert not lock.holder().alive
    with lock:
        assert lock.holder().alive


def test_lock_is_released_twice_without_harm(tmp_path):
    lock = DataLock(tmp_path)
    lock.acquire()
    lock.release()
    lock.release()


def test_runtime_comes_back_as_written_while_the_folder_is_held(tmp_path):
    runtime = Runtime(os.getpid(), "2026-03-12T09:00:00+00:00", "postgresql://x", pids={"web": 12})

    with DataLock(tmp_path):
        path = write_runtime(tmp_path, runtime)
        assert read_runtime(tmp_path) == runtime
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []
    assert read_runtime(tmp_path) is None, "the file of a killed supervisor says nothing"


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"pid": 3}', "\x00\xff"])
def test_damaged_runtime_file_counts_as_none(tmp_path, text):
    with DataLock(tmp_path):
        (tmp_path / "run" / "runtime.json").write_text(text)
        assert read_runtime(tmp_path) is None


def test_fields_of_a_later_version_are_passed_over(tmp_path):
    with DataLock(tmp_path):
        path = write_runtime(tmp_path, Runtime(1, "now"))
        path.write_text(json.dumps({**json.loads(path.read_text()), "later": 1}))
        assert read_runtime(tmp_path) == Runtime(1, "now")


def test_removal_of_an_absent_runtime_file_is_harmless(tmp_path):
    remove_runtime(tmp_path)
    assert read_runtime(tmp_path) is None


def test_log_is_turned_over_at_line_ends_and_bounded(tmp_path):
    log = RotatingLog(tmp_path / "a" / "x.log", max_bytes=100, keep=2, tail_lines=3)
    lines = [b"line %03d of the output\n" % number for number in range(40)]
    for line in lines:
        log.write(line)
    log.close()

    files = [tmp_path / "a" / name for name in ("x.log.2", "x.log.1", "x.log")]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["x.log", "x.log.1", "x.log.2"]
    kept = b"".join(path.read_bytes() for path in files)
    assert b"".join(lines).endswith(kept)
    assert all(path.read_bytes()[-1:] in (b"\n", b"") for path in files)
    assert all(path.stat().st_size <= 125 for path in files)
    assert log.tail().splitlines() == [line.decode().strip() for line in lines[-3:]]


def test_log_without_line_ends_is_bounded_too(tmp_path):
    log = RotatingLog(tmp_path / "x.log", max_bytes=1000, keep=1)
    for _ in range(100):
        log.write(b"\xff" * 500)
    log.close()

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6000
    assert len(log.tail()) <= 4096


def test_log_is_appended_to_over_restarts(tmp_path):
    for text in (b"first\n", b"second\n"):
        log = RotatingLog(tmp_path / "x.log")
        log.write(text)
        log.close()
    assert (tmp_path / "x.log").read_bytes() == b"first\nsecond\n"
