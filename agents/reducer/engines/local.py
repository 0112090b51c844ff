"""The engine ``local``: an ``aaorun`` that is installed on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agents.reducer.engines.base import (
    LONGEST_LINE,
    NICENESS,
    EngineDeadlineError,
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineResult,
    OnLine,
)
from agents.reducer.engines.memory import out_of_memory_kills
from agents.reducer.engines.output import OutputFollower, lines_of
from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.workfolder import own, remove_stale_folders
from paws.embedded import launch
from paws.embedded.account import launch_command
from paws.embedded.priority import give_way
from paws.errors import ConfigurationError

SCRATCH = "paws-imp-"
"""Beginning of the names of scratch folders."""

_TERM_GRACE = 2.0


class LocalEngine:
    """Starts one process group a command.

    Parameters
    ----------
    program
        Name on PATH, or path.
    name
        As reductions name it.

    Notes
    -----
    2dFdr corrupts itself when two runs share a scratch folder (IMP_SCRATCH), so every command has its own,
    under a short path without spaces, since 2dFdr passes it through Tcl lists.
    """

    invalid_status: frozenset[int] = frozenset()

    def __init__(self, program: str, name: str = "local") -> None:
        self.name = name
        self._program = program
        self._found = ""

    async def start(self) -> None:
        """Find the program.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        found = shutil.which(self._program)
        if found is None:
            raise ConfigurationError(
                f"There is no program {self._program!r} on PATH. Install 2dFdr and put its bin folder on PATH, set "
                "PAWS_AAORUN to its aaorun, or set PAWS_ENGINE=builtin."
            )
        # What a runner left that was killed.
        await asyncio.to_thread(remove_stale_folders, Path(tempfile.gettempdir()), f"{SCRATCH}*")
        # Commands run in other folders. A link keeps its name: programs may look at how they are called.
        self._found = await asyncio.to_thread(os.path.abspath, found)

    async def run(self, command: Sequence[str], cwd: Path, on_line: OnLine, deadline: float) -> EngineResult:
        """Run a command in a process group of its own; see `Engine`."""
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH))
        await asyncio.to_thread(own, scratch, runner_identity())
        follower = OutputFollower(on_line)
        started_at = datetime.now(UTC)
        kills = out_of_memory_kills()
        process = await asyncio.create_subprocess_exec(
            # The kernel kills the program when the runner dies, so that no two work on one reduction.
            *launch_command([self._found, *command], death_signal=signal.SIGKILL),
            cwd=cwd,
            env=self._environment(scratch),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        await asyncio.to_thread(give_way, process.pid, NICENESS)
        try:
            async with asyncio.timeout(deadline):
                assert process.stdout is not None
                async for line in lines_of(process.stdout):
                    follower.feed(line)
                status = await process.wait()
        except TimeoutError:
            raise EngineDeadlineError(
                f"{command[0]} ran longer than {deadline:g} s and was ended. It is tried again; when this happens "
                "often, raise PAWS_RUNNER_DEADLINE or look whether the disk is slow.",
                program=self._found,
                tail=list(follower.tail),
            ) from None
        finally:
            await _end_group(process)
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        if status == -signal.SIGKILL and out_of_memory_kills() > kills:
            raise EngineOutOfMemoryError(
                f"Memory ran out during {command[0]}, and the kernel ended {self._found}. It is tried again; when this "
                "happens often, lower PAWS_RUNNER_SLOTS.",
                tail=list(follower.tail),
            )
        if status < 0 or status in (launch.CANNOT_EXECUTE, launch.PARENT_GONE):
            raise EngineDiedError(
                f"{self._found} was ended from outside or crashed (status {status}) during {command[0]}. "
                "It is tried again; the log tells what it did last.",
                tail=list(follower.tail),
            )
        return EngineResult(
            exit_status=status,
            exit_marker=follower.exit_marker,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            tail=follower.tail,
        )

    def grow(self, slots: int) -> None:
        """Nothing to do: each command has a process of its own."""

    async def close(self) -> None:
        """Nothing stays between commands."""

    def _environment(self, scratch: Path) -> dict[str, str]:
        # 2dFdr must find these unset; our own settings are no business of a foreign program.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DRCONTROL_DIR", "DRCONTROL_ENV") and not name.startswith("PAWS_")
        }
        environment["IMP_SCRATCH"] = str(scratch)
        return environment


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """End whatever is left of the command's process group, children of children included."""
    if process.returncode is None and _signal_group(process.pid, signal.SIGTERM):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), _TERM_GRACE)
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
