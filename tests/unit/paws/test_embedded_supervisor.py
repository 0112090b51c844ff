"""The supervisor with small real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from paws.embedded.account import launch_command
from paws.embedded.errors import (
    DataFolderBusyError,
    DataFolderUnusableError,
    ServiceError,
    ServiceFailedError,
)
from paws.embedded.events import EventKind
from paws.embedded.lock import DataLock
from paws.embedded.ports import LOOPBACK
from paws.embedded.process import ProcessSpec
from paws.embedded.ready import file_ready, tcp_ready
from paws.embedded.restart import RestartPolicy
from paws.embedded.runtime import Runtime, read_runtime, write_runtime
from paws.embedded.supervisor import StopRequestedError, Supervisor
from tests.support.servers import listening

SLEEP = "import time; time.sleep(600)"
GUARDING = """
import fcntl, json, sys, time
lock = open(sys.argv[1], "r+")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.truncate(0)
lock.write(json.dumps({"pid": 2**22 + 1, "command": "gone", "since": "then"}))
lock.flush()
print("held", flush=True)
time.sleep(600)
"""
QUICK = RestartPolicy(max_failures=2, first_delay=0.01, max_delay=0.02)


def python(name, code, tmp_path, *arguments, **fields):
    argv = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code), *map(str, arguments)]
    fields.setdefault("restart", QUICK)
    return ProcessSpec(name=name, argv=argv, log_file=tmp_path / "logs" / f"{name}.log", **fields)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition, patience=60.0):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


async def test_processes_run_are_published_and_end_in_reverse_order(tmp_path):
    events = []
    async with Supervisor(tmp_path, on_event=events.append) as supervisor:
        for name in ("first", "second", "third"):
            await supervisor.start(python(name, SLEEP, tmp_path))
        supervisor.publish(broker_url="kafka://x", web_url="http://y")
        runtime = read_runtime(tmp_path)
        pids = supervisor.pids
        assert runtime.pids == pids
        assert list(pids) == ["first", "second", "third"]
        assert (runtime.broker_url, runtime.web_url, runtime.database_url) == ("kafka://x", "http://y", "")
        assert runtime.supervisor_pid == os.getpid()

    assert not any(map(alive, pids.values()))
    assert [event.name for event in events if event.kind is EventKind.STOPPED] == ["third", "second", "first"]
    assert not (tmp_path / "run" / "runtime.json").exists()
    with DataLock(tmp_path):
        pass


async def test_a_death_is_known_though_its_remains_still_hold_the_folder(tmp_path):
    """A killed supervisor's guard has the lock until it has cleared up: whoever comes meanwhile waits, and knows."""
    async with Supervisor(tmp_path) as supervisor:
        assert not supervisor.after_death
    async with Supervisor(tmp_path) as supervisor:
        assert not supervisor.after_death, "the one before was stopped in order"
    write_runtime(tmp_path, Runtime(2**22 + 1, "then"))
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GUARDING, str(tmp_path / "run" / "lock")), stdout=asyncio.subprocess.PIPE
    )
    assert await holder.stdout.readline() == b"held\n"
    entering = asyncio.create_task(Supervisor(tmp_path).__aenter__())
    await asyncio.sleep(0.2)
    assert not entering.done()
    holder.kill()
    await holder.wait()
    supervisor = await entering
    try:
        assert supervisor.after_death
    finally:
        await supervisor.stop()


async def test_second_supervisor_is_refused(tmp_path):
    async with Supervisor(tmp_path):
        with pytest.raises(DataFolderBusyError):
            async with Supervisor(tmp_path):
                pass
        assert read_runtime(tmp_path) is not None


async def test_output_is_kept_and_quoted_when_a_process_fails(tmp_path):
    code = "import sys; print('to the one'); print('no such column', file=sys.stderr); sys.exit(3)"
    with pytest.raises(
        ServiceFailedError, match=r"status 3(.|\n)*no such column(.|\n)*to the one"
    ) as failure:
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start(
                python("bad", code, tmp_path, restart=RestartPolicy(enabled=False), ready=never)
            )
    assert failure.value.name == "bad"
    assert "no such column" in (tmp_path / "logs" / "bad.log").read_text()


async def never(_pid):
    return False


async def test_failure_of_an_essential_process_ends_the_wait(tmp_path):
    marker = tmp_path / "die"
    code = """
        import pathlib, sys, time
        while not pathlib.Path(sys.argv[1]).exists():
            time.sleep(0.01)
        sys.exit(1)
    """
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(python("doomed", code, tmp_path, marker))
        marker.touch()
        with pytest.raises(ServiceFailedError, match=r"doomed ended with status 1.*in a row"):
            async with asyncio.timeout(60):
                await supervisor.wait()


async def test_failure_of_another_process_does_not(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(python("keeps", SLEEP, tmp_path))
        with pytest.raises(ServiceFailedError):
            await supervisor.start(
                python("extra", "raise SystemExit(2)", tmp_path, essential=False, ready=never)
            )
        assert alive(supervisor.pids["keeps"])
        assert "extra" not in supervisor.pids


async def test_killed_process_comes_back(tmp_path):
    events = []
    async with Supervisor(tmp_path, on_event=events.append) as supervisor:
        await supervisor.start(python("worker", SLEEP, tmp_path))
        before = supervisor.pids["worker"]
        os.kill(before, signal.SIGKILL)
        await until(lambda: supervisor.pids.get("worker", before) != before)
        after = supervisor.pids["worker"]
        await until(lambda: read_runtime(tmp_path).pids == {"worker": after})
    assert any("killed by SIGKILL" in event.message and event.kind is EventKind.ENDED for event in events)


async def test_what_is_not_ready_in_time_is_killed_and_given_up(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ServiceFailedError, match="not ready before its deadline"):
            await supervisor.start(python("slow", SLEEP, tmp_path, ready=never, ready_deadline=0.05))


async def test_hook_that_cannot_help_ends_the_attempts(tmp_path):
    calls = []

    def refuse():
        calls.append(1)
        raise DataFolderUnusableError("the disk is read-only")

    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(DataFolderUnusableError, match="read-only"):
            await supervisor.start(python("x", SLEEP, tmp_path, before_start=refuse))
    assert calls == [1]


async def test_defect_in_a_hook_is_a_failure_and_not_a_hang(tmp_path):
    async def broken():
        raise KeyError("topic")

    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ServiceError, match=r"KeyError.*topic"):
            async with asyncio.timeout(60):
                await supervisor.start(python("x", SLEEP, tmp_path, after_ready=broken))
        assert supervisor.pids == {}


async def test_program_that_does_not_exist_is_said_so(tmp_path):
    spec = ProcessSpec(name="x", argv=["/no/such/program"], log_file=tmp_path / "x.log", ready=never)
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ServiceFailedError, match="cannot execute /no/such/program"):
            await supervisor.start(spec)


async def test_followers_start_anew_after_what_they_follow(tmp_path):
    order = []

    async def told():
        order.append("broker is ready")

    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(python("broker", SLEEP, tmp_path, after_ready=told))
        await supervisor.start(
            python(
                "worker", SLEEP, tmp_path, follows=("broker",), before_start=lambda: order.append("worker")
            )
        )
        await supervisor.start(python("other", SLEEP, tmp_path))
        before = supervisor.pids
        os.kill(before["broker"], signal.SIGKILL)
        await until(lambda: len(order) == 4)
        await until(lambda: len(supervisor.pids) == 3)
        after = supervisor.pids
    assert order == ["broker is ready", "worker", "broker is ready", "worker"]
    assert {name for name in before if before[name] != after[name]} == {"broker", "worker"}


async def test_restart_on_request_does_not_count_as_a_failure(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(python("web", SLEEP, tmp_path, restart=RestartPolicy(enabled=False)))
        before = supervisor.pids["web"]
        await supervisor.restart("web")
        assert supervisor.pids["web"] != before


async def test_stubborn_process_and_its_children_are_killed(tmp_path):
    code = """
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", ignore])
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(f"{os.getpid()} {child.pid}")
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(600)
    """
    note = tmp_path / "pids"
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(
            python("mule", code, tmp_path, note, ready=file_ready(note), stop_deadline=0.2)
        )
        pids = [int(word) for word in note.read_text().split()]
        assert all(map(alive, pids))
    await until(lambda: not any(map(alive, pids)))


async def test_stop_during_a_start_is_prompt(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        asyncio.get_running_loop().call_later(0.2, supervisor.request_stop)
        with pytest.raises(StopRequestedError, match="while slow was starting"):
            async with asyncio.timeout(60):
                await supervisor.start(python("slow", SLEEP, tmp_path, ready=never))
        pid = supervisor.pids["slow"]
    assert not alive(pid)


async def test_names_are_unique(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(python("x", SLEEP, tmp_path))
        with pytest.raises(ServiceError, match="already"):
            await supervisor.start(python("x", SLEEP, tmp_path))


async def test_environment_is_added_to_and_removed_from(tmp_path, monkeypatch):
    monkeypatch.setenv("REMOVED", "1")
    code = "import os; print(os.environ.get('ADDED'), os.environ.get('REMOVED'), os.getcwd())"
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    spec = python(
        "x",
        code,
        tmp_path,
        environment=lambda: {"ADDED": "ü b", "REMOVED": None},
        folder=folder,
        restart=RestartPolicy(done_codes=frozenset({0})),
    )
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(spec)
        await until(lambda: not supervisor.pids)
    assert (tmp_path / "logs" / "x.log").read_text() == f"ü b None {folder}\n"


SCRIPT = """
import asyncio, signal, subprocess, sys
# Under nohup the tests, and all they start, ignore the closing of the terminal.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from pathlib import Path
from paws.embedded.process import ProcessSpec
from paws.embedded.supervisor import Supervisor

CHILD = '''
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
'''

async def main(data):
    async with Supervisor(data) as supervisor:
        supervisor.handle_signals()
        for name in ("a", "b"):
            argv = [sys.executable, "-I", "-S", "-c", CHILD]
            await supervisor.start(ProcessSpec(name=name, argv=argv, log_file=data / f"{name}.log"))
        print("up", flush=True)
        await supervisor.wait()
    print("down", flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def supervised(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline() == "up\n"
        deadline = time.monotonic() + 60
        while len(pids := [int(word) for name in "ab" for word in log_words(tmp_path / f"{name}.log")]) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert all(map(alive, pids))
        yield process, pids
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def log_words(path):
    text = path.read_text() if path.exists() else ""
    return text.split() if text.endswith("\n") else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signal_ends_everything_in_order(supervised, number):
    process, pids = supervised
    process.send_signal(number)
    assert await asyncio.to_thread(process.wait, 60) == 0
    assert process.stdout.read() == "down\n"
    assert not any(map(alive, pids))


async def test_nothing_survives_a_killed_supervisor_and_the_folder_is_free_again(supervised, tmp_path):
    process, pids = supervised
    process.kill()
    process.wait()
    async with Supervisor(tmp_path) as supervisor:
        assert not any(map(alive, pids)), "the folder was free before the last process had ended"
        await supervisor.start(python("again", SLEEP, tmp_path))


async def test_probes(tmp_path, monkeypatch):
    monkeypatch.setattr("paws.embedded.ready.ANSWER_WITHIN", 60.0)

    async def leave(_reader, _writer):
        return

    async with listening(leave) as port:
        assert await tcp_ready(LOOPBACK, port)(0)
    assert not await tcp_ready(LOOPBACK, port)(0)

    file = tmp_path / "ready"
    assert not await file_ready(file)(7)
    file.write_text("8\n")
    assert not await file_ready(file)(7), "a file of an earlier process"
    assert await file_ready(file)(8)


def test_program_gets_its_signal_when_its_parent_is_killed(tmp_path):
    """The kernel's own tie, without the guard."""
    note = tmp_path / "note"
    child = "import os,sys,time; open(sys.argv[1],'w').write(f'{os.getpid()} '); time.sleep(600)"
    code = textwrap.dedent(
        f"""
        import subprocess, sys, time
        from paws.embedded.account import launch_command
        argv = [sys.executable, "-I", "-S", "-c", {child!r}, sys.argv[1]]
        subprocess.Popen(launch_command(argv, death_signal=9))
        time.sleep(600)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(note)])
    try:
        deadline = time.monotonic() + 60
        while not (note.exists() and note.read_text().endswith(" ")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        pid = int(note.read_text())
        assert alive(pid)
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_program_is_not_started_for_a_parent_that_is_gone():
    command = launch_command([sys.executable, "-c", "print('ran')"], death_signal=9)
    command[command.index("run") + 1] = "1" if os.getpid() != 1 else "2"
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (125, "")
