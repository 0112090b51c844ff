"""The engine itself: a warm container for each slot of the runner, replaced when it has to be."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.reducer.engines.base import (
    EngineAwayError,
    EngineDeadlineError,
    EngineDiedError,
    EngineResult,
    OnLine,
)
from agents.reducer.engines.docker.container import FoldersAwayError, WarmContainer
from agents.reducer.engines.docker.daemon import Daemon
from agents.reducer.engines.docker.ending import Wear, worn
from agents.reducer.engines.docker.orphans import ENGINE, INSTANCE, RECIPE, ROOM, RUNNER, take_stock
from agents.reducer.engines.docker.recipe import INVALID_STATUS_LABEL, Recipe
from agents.reducer.engines.output import OutputFollower
from agents.reducer.runner.identity import runner_identity
from paws.engines import EngineReference
from paws.errors import ConfigurationError, PawsError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)

HELP_DEADLINE = 120.0
"""Longest time for the first ``aaorun help``, which may have to warm up, s."""

TIDY_INTERVAL = 15.0
"""Between looks for containers that could not be removed at once, or whose runner died, s."""

_LIMITS = ("MemoryLimit", "PidsLimit", "CpuCfsQuota")
"""What a daemon says of the limits that it can hold."""

_MOST_REFUSALS = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0


@dataclass(eq=False)
class _Slot:
    """A place for a container; empty until it is needed, and after a failure."""

    container: WarmContainer | None = None


class DockerEngine:
    """An ``aaorun`` in warm containers.

    Parameters
    ----------
    reference
        Name of the engine and of its image.
    """

    def __init__(self, settings: Settings, reference: EngineReference) -> None:
        self.name = reference.name
        self.invalid_status: frozenset[int] = frozenset()
        self._settings = settings
        self._image = reference.target
        self._work_dir = settings.work_dir.absolute()
        self._wear = Wear(settings.docker_commands, settings.docker_growth << 20)
        # As many as it may ever need: slots that become free on this host are added.
        most = max(settings.runner_slots, settings.runner_host_slots)
        self._daemon = Daemon(settings.docker_host, settings.docker_timeout, threads=2 * most + 4)
        self._slots = [_Slot() for _ in range(settings.runner_slots)]
        self._idle: asyncio.Queue[_Slot] = asyncio.Queue()
        self._condemned: list[WarmContainer] = []
        self._recipe: Recipe | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._started = False

    async def start(self) -> None:
        """Find daemon and image, adopt what an earlier runner left, and see that ``aaorun`` answers.

        Raises
        ------
        ConfigurationError
            If one of these is not as it must be.
        """
        try:
            await self._reach_daemon()
            info, image = await self._daemon.info(), await self._daemon.image(self._image)
            if lacking := [limit for limit in _LIMITS if not info.get(limit)]:
                log.warning("the docker daemon cannot hold these limits", lacking=lacking)
            self.invalid_status = _invalid_status(image)
            self._recipe = Recipe.of(self._settings, self.name, str(image["Id"]), int(info["NCPU"]))
            adopted = await take_stock(
                self._daemon, self._recipe, self._instance, self._work_dir, len(self._slots)
            )
            for slot, (identifier, room) in zip(self._slots, adopted, strict=False):
                try:
                    slot.container = await WarmContainer.adopt(self._daemon, self._recipe, room, identifier)
                except EngineDiedError as error:
                    log.info("not adopted after all", container=room.name, error=error.message)
                    await self._daemon.remove(identifier)
                    await asyncio.to_thread(room.remove)
            await self._say_help(self._slots[0])
        except (EngineDiedError, EngineAwayError) as error:
            raise ConfigurationError(f"The engine {self.name} does not start: {error.message}") from error
        except OSError as error:
            raise ConfigurationError(
                f"The engine {self.name} cannot make its rooms in {self._work_dir}: {error}. The file system must know "
                "locks (flock), and a runner that is root must be allowed to give folders away."
            ) from error
        self._started = True
        for slot in self._slots:
            self._idle.put_nowait(slot)
        self._tidying = asyncio.create_task(self._tidy())
        log.info("docker engine ready", engine=self.name, image=self._recipe.image, adopted=len(adopted))

    async def run(self, command: Sequence[str], cwd: Path, on_line: OnLine, deadline: float) -> EngineResult:
        """Run a command in a warm container; see `Engine`."""
        slot = await self._idle.get()
        try:
            return await self._run_in(slot, command, cwd, OutputFollower(on_line), deadline)
        finally:
            self._idle.put_nowait(slot)

    def grow(self, slots: int) -> None:
        """Have places for more containers; see `Engine`."""
        added = [_Slot() for _ in range(slots)]
        self._slots += added
        for slot in added:
            self._idle.put_nowait(slot)

    async def close(self) -> None:
        """Remove every container. What cannot be removed, the next runner removes."""
        if self._tidying is not None:
            self._tidying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tidying
        with contextlib.suppress(EngineDiedError, EngineAwayError):
            await self._remove_condemned()
        for slot in self._slots:
            await self._discard(slot, "the runner ends")
        for container in self._condemned:
            container.room.release()
        self._condemned.clear()
        self._daemon.close()

    async def _run_in(
        self, slot: _Slot, command: Sequence[str], cwd: Path, follower: OutputFollower, deadline: float
    ) -> EngineResult:
        container, ready = await self._make_ready(slot, command, cwd, follower)
        started_at = datetime.now(UTC)
        try:
            async with asyncio.timeout(deadline):
                report = await container.run(command[0], ready, follower)
            finished_at = datetime.now(UTC)
            still_there = await container.finish(cwd)
        except BaseException as error:
            # Whatever it was doing, it must not go on, nor leave anything to the next command.
            late = isinstance(error, TimeoutError)
            await self._discard(slot, "the deadline" if late else str(error) or type(error).__name__)
            if late:
                raise EngineDeadlineError(
                    f"{command[0]} ran longer than {deadline:g} s and was ended with its container. It is tried again; "
                    "when this happens often, raise PAWS_RUNNER_DEADLINE or look whether the disk is slow.",
                    tail=list(follower.tail),
                ) from None
            if isinstance(error, PawsError):
                error.context.setdefault("tail", list(follower.tail))
            raise
        reason = worn(report, container.commands, container.held_at_first, self._wear)
        if not still_there:
            reason = "it went away after the command had ended"
        if reason is not None:
            await self._discard(slot, reason)
        return EngineResult(
            exit_status=report.status,
            exit_marker=follower.exit_marker,
            started_at=started_at,
            finished_at=finished_at,
            tail=follower.tail,
        )

    async def _make_ready(
        self, slot: _Slot, command: Sequence[str], cwd: Path, follower: OutputFollower
    ) -> tuple[WarmContainer, str]:
        """A container with a command ready in it. A daemon that is away is waited for."""
        loop = asyncio.get_running_loop()
        give_up, pause, refusals = loop.time() + self._settings.docker_patience, _FIRST_PAUSE, 0
        while True:
            try:
                if slot.container is None:
                    slot.container = await self._new_container()
                return slot.container, await slot.container.prepare(command, cwd)
            except (EngineDiedError, EngineAwayError) as error:
                # Nothing has begun yet: a container that died while it was idle is no failure of this command.
                known = slot.container is not None
                await self._discard(slot, error.message)
                refusals += isinstance(error, EngineDiedError) and not known
                if refusals >= _MOST_REFUSALS or loop.time() >= give_up:
                    raise
                if isinstance(error, FoldersAwayError) and not self._started:
                    # Later it is an outage of a file system; at the start, a wrong setting.
                    raise
                if not known:
                    follower.feed(f"Waiting for Docker: {error.message}")
                    log.warning("waiting for docker", engine=self.name, error=error.message, pause=pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    async def _new_container(self) -> WarmContainer:
        assert self._recipe is not None
        labels = {
            INSTANCE: self._instance,
            ENGINE: self.name,
            RECIPE: self._recipe.digest,
            RUNNER: runner_identity(),
        }
        return await WarmContainer.start(self._daemon, self._recipe, self._work_dir, labels, ROOM)

    async def _discard(self, slot: _Slot, reason: str) -> None:
        """Empty a slot. A container that cannot be removed now is removed when the daemon is back."""
        container, slot.container = slot.container, None
        if container is not None:
            log.info(
                "container replaced",
                container=container.room.name,
                commands=container.commands,
                reason=reason,
            )
            # Before the first wait the slot is empty: whoever is cancelled here leaves no container to the next.
            await asyncio.shield(self._dispose(container))

    async def _dispose(self, container: WarmContainer) -> None:
        try:
            await container.remove()
        except (EngineDiedError, EngineAwayError):
            self._condemned.append(container)

    async def _remove_condemned(self) -> None:
        while self._condemned:
            await self._condemned[-1].remove()
            self._condemned.pop()

    async def _tidy(self) -> None:
        assert self._recipe is not None
        while True:
            await asyncio.sleep(TIDY_INTERVAL)
            try:
                await self._remove_condemned()
                await take_stock(self._daemon, self._recipe, self._instance, self._work_dir, 0)
            except Exception as error:
                log.warning("tidying did not succeed; it is tried again", error=str(error))

    async def _reach_daemon(self) -> None:
        loop = asyncio.get_running_loop()
        give_up, pause = loop.time() + self._settings.docker_patience, _FIRST_PAUSE
        while True:
            try:
                return await self._daemon.ping()
            except (EngineAwayError, EngineDiedError) as error:
                if loop.time() + pause > give_up:
                    raise
                log.warning("waiting for docker", engine=self.name, error=error.message, pause=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _say_help(self, slot: _Slot) -> None:
        nowhere = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="paws-help-"))
        try:
            result = await self._run_in(
                slot, ["help"], nowhere, OutputFollower(lambda _: None), HELP_DEADLINE
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, nowhere, ignore_errors=True)
        if result.exit_status != 0:
            raise ConfigurationError(
                f"The image {self._image!r} does not answer `aaorun help` (status {result.exit_status}); last said: "
                f"{result.tail[-1] if result.tail else 'nothing'}. Try: docker run --rm {self._image} aaorun help"
            )

    @property
    def _instance(self) -> str:
        """Tells containers of this installation from those of others on the same daemon."""
        assert self._recipe is not None
        return hashlib.sha256(self._recipe.on_daemon(self._work_dir).encode()).hexdigest()[:12]


def _invalid_status(image: dict[str, object]) -> frozenset[int]:
    """Exit statuses by which the image's ``aaorun`` says that the input cannot be used."""
    config = image.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    text = str((labels or {}).get(INVALID_STATUS_LABEL, ""))
    return frozenset(int(part) for part in text.split(",") if part.strip().isdigit())
