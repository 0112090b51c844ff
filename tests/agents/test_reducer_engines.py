from __future__ import annotations

import asyncio
import os
import re
import stat
import tempfile
import time
from pathlib import Path

import pytest

from agents.reducer.engines import EngineDeadlineError, EngineDiedError, create_engine
from agents.reducer.engines.builtin import BuiltinEngine
from agents.reducer.engines.local import LocalEngine
from paws.engines import engine_names, engine_reference
from paws.errors import ConfigurationError
from paws.settings import load_settings

EXIT_LINE = 'Action "EXIT", Task "CMD00001", completed.'

# Stands for quicklook: says what it is told to, in a process of its own.
QUICKLOOK = """
import os, sys, time
warmed = []
def warm():
    print("noise of a library")
    warmed.append(1)
"""
QUICKLOOK_CLI = """
import os, sys, time
import quicklook
def run(argv, *, cwd, stdout):
    verb = argv[0]
    print("more noise")
    stdout.write(f"pid {os.getpid()} warm {len(quicklook.warmed)} in {cwd}\\n")
    if verb == "hang":
        time.sleep(600)
    if verb == "die":
        os.kill(os.getpid(), 9)
    if verb == "raise":
        raise RuntimeError("unexpected")
    if verb == "refuse":
        return 2
    if verb == "long":
        stdout.write("x" * 3_000_000 + "\\n")
    stdout.write('Action "EXIT", Task "CMD00001", completed.')
    return 0
"""


@pytest.fixture
def fake_quicklook(tmp_path, monkeypatch):
    package = tmp_path / "library" / "quicklook"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(QUICKLOOK)
    (package / "cli.py").write_text(QUICKLOOK_CLI)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.fixture
async def builtin(fake_quicklook):
    engine = BuiltinEngine(slots=2)
    await engine.start()
    yield engine
    await engine.close()


async def _run(engine, *command, cwd=Path("/"), deadline=30.0):
    lines: list[str] = []
    result = await engine.run(command, cwd, lines.append, deadline)
    return result, lines


def _pid(lines):
    return int(lines[0].split()[1])


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


async def _until_dead(pid, deadline=60.0):
    end = time.monotonic() + deadline
    while _alive(pid):
        assert time.monotonic() < end, f"process {pid} is still there"
        await asyncio.sleep(0.02)


async def test_builtin_runs_one_command_after_another_in_warm_processes(builtin, tmp_path):
    pids = set()
    for _ in range(4):
        result, lines = await _run(builtin, "reduce", cwd=tmp_path)
        assert (result.exit_status, result.exit_marker) == (0, True)
        assert lines[0].endswith(f"warm 1 in {tmp_path}")
        assert result.tail[-1] == EXIT_LINE
        pids.add(_pid(lines))
    assert len(pids) <= 2


async def test_builtin_passes_status_and_unexpected_errors_on(builtin):
    result, _ = await _run(builtin, "refuse")
    assert (result.exit_status, result.exit_marker) == (2, False)
    assert result.exit_status in builtin.invalid_status
    result, lines = await _run(builtin, "raise")
    assert result.exit_status == 1
    assert "RuntimeError: unexpected" in lines


@pytest.mark.parametrize(
    ("command", "deadline", "error"), [("die", 30.0, EngineDiedError), ("hang", 0.5, EngineDeadlineError)]
)
async def test_builtin_replaces_a_process_that_dies_or_hangs(builtin, command, deadline, error):
    for _ in range(3):  # more often than there are slots
        with pytest.raises(error):
            await _run(builtin, command, deadline=deadline)
    result, _ = await _run(builtin, "reduce")
    assert result.exit_status == 0


async def test_builtin_ends_what_is_cancelled(builtin):
    lines: list[str] = []
    task = asyncio.create_task(builtin.run(["hang"], Path("/"), lines.append, 60.0))
    async with asyncio.timeout(20):
        while not lines:  # noqa: ASYNC110 - lines come by a callback
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until_dead(_pid(lines))


async def test_builtin_cuts_a_line_beyond_all_measure(builtin):
    result, lines = await _run(builtin, "long")
    assert result.exit_status == 0
    assert 1000 < len(lines[1]) < 3_000_000


async def test_builtin_says_that_it_cannot_start(fake_quicklook, tmp_path):
    (tmp_path / "library" / "quicklook" / "__init__.py").write_text("def warm():\n    raise SystemExit(3)\n")
    with pytest.raises(ConfigurationError, match="does not start"):
        await BuiltinEngine(slots=1).start()


@pytest.fixture
def program(tmp_path):
    """Make a program of a shell script; it stands for aaorun."""

    def make(script: str) -> LocalEngine:
        path = tmp_path / "a a o" / "aaorun"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return LocalEngine(str(path))

    return make


async def test_local_gives_every_command_a_scratch_of_its_own(program, tmp_path, monkeypatch):
    monkeypatch.setenv("DRCONTROL_DIR", "/x")
    monkeypatch.setenv("PAWS_TEST_X", "secret")
    engine = program(f"env; pwd; echo \"$1|$2\"; touch $IMP_SCRATCH/x; echo '{EXIT_LINE}'")
    await engine.start()
    work = tmp_path / "work folder"
    work.mkdir()
    scratch = set()
    for _ in range(2):
        result, lines = await _run(engine, "combine", "a.fits b.fits", cwd=work)
        assert (result.exit_status, result.exit_marker) == (0, True)
        assert str(work) in lines
        assert "combine|a.fits b.fits" in lines
        assert not any(line.startswith(("DRCONTROL_DIR", "PAWS_")) for line in lines)
        scratch |= {line.partition("=")[2] for line in lines if line.startswith("IMP_SCRATCH=")}
    assert len(scratch) == 2
    assert not {Path(folder).name for folder in scratch} & set(os.listdir(tempfile.gettempdir()))


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("echo x; exit 0", 0)])
async def test_local_passes_the_status_on(program, script, status):
    engine = program(script)
    await engine.start()
    result, _ = await _run(engine, "x")
    assert (result.exit_status, result.exit_marker) == (status, False)


async def test_local_ends_the_whole_group_at_the_deadline(program):
    engine = program("sleep 600 & echo child $!; sleep 600")
    await engine.start()
    lines: list[str] = []
    # On a busy machine the shell may not even have begun by then.
    for deadline in (0.7, 7.0, 70.0):
        with pytest.raises(EngineDeadlineError):
            await engine.run(["x"], Path("/"), lines.append, deadline)
        if lines:
            break
    await _until_dead(int(lines[0].split()[1]))


async def test_local_tells_a_crash_from_a_failure(program):
    engine = program("kill -SEGV $$")
    await engine.start()
    with pytest.raises(EngineDiedError):
        await _run(engine, "x")


async def test_local_takes_a_line_of_any_length(program):
    engine = program("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")
    await engine.start()
    result, lines = await _run(engine, "x")
    assert result.exit_status == 0
    assert sum(map(len, lines)) == 3_000_003
    assert lines[-1] == "end"


async def test_local_without_a_program_says_what_to_do():
    with pytest.raises(ConfigurationError, match="PAWS_AAORUN"):
        await LocalEngine("no-such-aaorun").start()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engine": "docker"}, '"docker": "docker:IMAGE"'),
        ({"engine": "2dfdr-9"}, "builtin, local, 2dfdr-7"),
        ({"engine": "x", "engines": {"x": "podman:y"}}, "docker:IMAGE or local:PROGRAM"),
        ({"engine": "x", "engines": {"x": "docker:"}}, "docker:IMAGE or local:PROGRAM"),
        ({"engine": "A b", "engines": {"A b": "docker:y"}}, "lower-case"),
        ({"engine": "builtin", "engines": {"builtin": "docker:y"}}, "not 'builtin'"),
    ],
)
def test_an_engine_that_nobody_names_is_refused(settings, words):
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        create_engine(load_settings(**{"engines": {"2dfdr-7": "docker:2dfdr:7"}, **settings}))


def test_engines_are_named():
    settings = load_settings(
        engines={"2dfdr-7.2": "docker:host:5000/2dfdr:7.2", "own": "local:/opt/own/aaorun"}
    )
    assert engine_names(settings) == ("builtin", "local", "2dfdr-7.2", "own")
    image = engine_reference(settings, "2dfdr-7.2")
    assert (image.kind, image.target) == ("docker", "host:5000/2dfdr:7.2")
    assert image.version == "host:5000/2dfdr:7.2"
    assert isinstance(create_engine(settings), BuiltinEngine)
    own = create_engine(settings, "own")
    assert isinstance(own, LocalEngine)
    assert own.name == "own"


def test_a_version_that_is_set_is_that_of_the_engine_that_is_set():
    settings = load_settings(engine="own", engine_version="8.0", engines={"own": "local:aaorun"})
    assert engine_reference(settings).version == "8.0"
    assert engine_reference(settings, "builtin").version.startswith("paws-live ")
