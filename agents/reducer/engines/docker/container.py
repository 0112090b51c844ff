"""One warm container and its room: runs one command at a time."""

from __future__ import annotations

import asyncio
import codecs
import itertools
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.reducer.engines.base import LONGEST_LINE, EngineAwayError, EngineDiedError
from agents.reducer.engines.docker.daemon import (
    STDOUT,
    ContainerGoneError,
    Daemon,
    DaemonAwayError,
    DaemonRefusedError,
)
from agents.reducer.engines.docker.ending import fault, interrupted
from agents.reducer.engines.docker.recipe import SCRATCH, Recipe, creation
from agents.reducer.engines.docker.room import Room
from agents.reducer.engines.docker.script import PROBE_FAULTS, Report, parse_report, probe, wrapped
from agents.reducer.engines.output import OutputFollower
from paws.log import get_logger

log = get_logger(__name__)

PROBE_DEADLINE = 30.0
STATUS_DEADLINE = 5.0
"""Longest wait for the status of a command whose output has ended, s."""

_LOOKS_AFTER_A_DEATH = 4
_LONGEST_REPORT = 4096
_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")


class FoldersAwayError(EngineAwayError):
    """A container does not see the folders that it should, or may not use them."""

    code = "docker_folders"


class WarmContainer:
    """A running container.

    Parameters
    ----------
    identifier
        Docker's.
    held
        Memory that it holds before its first command, bytes.
    """

    def __init__(self, daemon: Daemon, recipe: Recipe, room: Room, identifier: str, held: int) -> None:
        self.identifier = identifier
        self.room = room
        self.held_at_first = held
        self.commands = 0
        self._daemon = daemon
        self._recipe = recipe
        self._numbers = itertools.count(1)

    @classmethod
    async def start(
        cls, daemon: Daemon, recipe: Recipe, work_dir: Path, labels: Mapping[str, str], room_label: str
    ) -> WarmContainer:
        """Make a room and a container for it, and look whether it is as it should be.

        Raises
        ------
        EngineAwayError
            If the daemon does not answer; `FoldersAwayError` if the container does not see the right folders.
        EngineDiedError
            If the container does not come up.
        """
        room = await asyncio.to_thread(Room.make, work_dir, recipe.uid, recipe.gid)
        identifier = ""
        try:
            body = creation(recipe, room.path, {**labels, room_label: room.name})
            identifier = await daemon.create(idle_name(room), body)
            return await cls.adopt(daemon, recipe, room, identifier)
        except BaseException:
            await asyncio.shield(_give_up(daemon, identifier, room))
            raise

    @classmethod
    async def adopt(cls, daemon: Daemon, recipe: Recipe, room: Room, identifier: str) -> WarmContainer:
        """Use a container that runs already; see `start`."""
        token = secrets.token_hex(8)
        await asyncio.to_thread(_lay_token, room, token)
        command = await daemon.execute(identifier, probe(token), {})
        text: list[str] = []
        try:
            async with asyncio.timeout(PROBE_DEADLINE):
                stream = await daemon.attach(command)
                await daemon.follow(stream, lambda _, piece: text.append(piece.decode(errors="replace")))
                status = await _status_of(daemon, command)
        except TimeoutError:
            raise DaemonRefusedError("A new container did not come to life.") from None
        if status in PROBE_FAULTS:
            raise FoldersAwayError(
                f"A container of {recipe.engine} cannot work: {PROBE_FAULTS[status]}. {room.path} must be the same "
                f"folder as {recipe.on_daemon(room.path)} on the machine of the Docker daemon (PAWS_DOCKER_PATHS), and "
                f"user {recipe.uid}:{recipe.gid} (PAWS_DOCKER_USER) must have access."
            )
        report = parse_report("".join(text))
        if status != 0 or report is None:
            said = "".join(text).strip() or await daemon.logs(identifier) or "nothing"
            raise DaemonRefusedError(
                f"A new container ended at once (status {status}). It said: {said[-500:]}"
            )
        await asyncio.to_thread(room.empty)
        return cls(daemon, recipe, room, identifier, report.held)

    async def prepare(self, command: Sequence[str], folder: Path) -> str:
        """Put the files of a work folder in, and make a command ready; its identifier.

        Nothing has happened yet when this fails, so another container can take the command.
        """
        await asyncio.to_thread(self.room.fill, folder, self._recipe.uid, self._recipe.gid)
        scratch = f"{SCRATCH}/{next(self._numbers)}"
        ready = await self._daemon.execute(
            # A home for what 2dFdr keeps between its own processes: never that of an earlier command.
            self.identifier, wrapped(command), {"IMP_SCRATCH": scratch, "HOME": scratch, "PAWS_JOB": folder.name},
        )  # fmt: skip
        await self._daemon.rename(self.identifier, busy_name(self.room, folder.name))
        return ready

    async def run(self, verb: str, ready: str, follower: OutputFollower) -> Report:
        """Run a command that was made ready, until it ends.

        Raises
        ------
        EngineDiedError
            If it did not come to its own end.
        EngineAwayError
            If the daemon went away meanwhile.
        """
        lines = Lines(follower)
        said = bytearray()

        def take(kind: int, piece: bytes) -> None:
            if kind == STDOUT:
                lines.feed(piece)
            else:
                said.extend(piece)
                del said[:-_LONGEST_REPORT]

        stream = await self._daemon.attach(ready)
        await self._daemon.follow(stream, take)
        lines.finish()
        self.commands += 1
        report = parse_report(said.decode(errors="replace"))
        if report is None or await _status_of(self._daemon, ready) != report.status:
            raise await self._why_interrupted(verb)
        error = fault(verb, report, self._recipe.memory)
        if error is not None:
            raise error
        return report

    async def finish(self, folder: Path) -> bool:
        """Take the products out, into the work folder, and be idle again.

        Returns
        -------
        bool
            Whether the container is still there: the command has ended well all the same.
        """
        await asyncio.to_thread(self.room.collect, folder)
        try:
            await self._daemon.rename(self.identifier, idle_name(self.room))
        except (EngineDiedError, EngineAwayError):
            return False
        return True

    async def remove(self) -> None:
        """End everything in it, and remove it with its room.

        Raises
        ------
        EngineAwayError
            If the daemon does not answer; the container may run on, but sees no folder of another job.
        """
        await self._daemon.remove(self.identifier)
        await asyncio.to_thread(self.room.remove)

    async def _why_interrupted(self, verb: str) -> Exception:
        for _ in range(_LOOKS_AFTER_A_DEATH):
            try:
                state = (await self._daemon.inspect(self.identifier))["State"]
            except DaemonAwayError as error:
                return DaemonAwayError(
                    f"The Docker daemon went away during {verb}. It is done again when the daemon is back.",
                    cause=error.message,
                )
            except ContainerGoneError:
                state = {"Running": False, "ExitCode": "unknown"}
            if state.get("OOMKilled") or state.get("Running"):
                break
            # A daemon that stops ends its containers first, and answers for a moment longer.
            await asyncio.sleep(0.5)
        return interrupted(verb, state, self._recipe.memory)


class Lines:
    """Parts a stream of bytes into lines; one beyond all measure comes in pieces."""

    def __init__(self, follower: OutputFollower) -> None:
        self._follower = follower
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pending = ""

    def feed(self, piece: bytes) -> None:
        """Take some bytes; pass on the lines that they complete."""
        *lines, self._pending = (self._pending + self._decoder.decode(piece)).split("\n")
        for line in lines:
            self._follower.feed(line)
        if len(self._pending) >= LONGEST_LINE:
            self._follower.feed(self._pending)
            self._pending = ""

    def finish(self) -> None:
        """Pass on what stands without a line end."""
        if self._pending:
            self._follower.feed(self._pending)
            self._pending = ""


def idle_name(room: Room) -> str:
    """Name of a container that waits."""
    return f"paws-{room.name}"


def busy_name(room: Room, job: str) -> str:
    """Name of a container that works: people see the job in every list of containers."""
    return f"paws-{room.name}-{_PLAIN.sub('_', job)[:60]}"


def _lay_token(room: Room, token: str) -> None:
    room.empty()
    (room.inputs / ".token").write_text(f"{token}\n")
    (room.inputs / ".token").chmod(0o444)


async def _status_of(daemon: Daemon, command: str) -> int | None:
    """Exit status of a command whose output has ended; None when there is none to be had."""
    try:
        async with asyncio.timeout(STATUS_DEADLINE):
            while (status := await daemon.exit_status(command)) is None:  # noqa: ASYNC110 - the daemon's state
                await asyncio.sleep(0.01)
            return status
    except (TimeoutError, ContainerGoneError, EngineAwayError):
        return None


async def _give_up(daemon: Daemon, identifier: str, room: Room) -> None:
    """Undo a start. What cannot be undone now is left without an owner, so that somebody does it later."""
    try:
        if identifier:
            await daemon.remove(identifier)
    except Exception as error:
        log.warning("a container could not be removed", container=idle_name(room), error=str(error))
        room.release()
        return
    await asyncio.to_thread(room.remove)
