"""Keep an eye on the raw folders: kernel notices where they can be trusted, sweeps always."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from agents.ingest import storage
from agents.ingest.folders import FolderIdentity, Sweep, is_network_file_system, sweep
from agents.ingest.process import Ingest, threadsafe
from agents.ingest.watcher import Watcher
from paws.clock import Clock, night_of, utc_now
from paws.database import DATABASE_TROUBLES, Pool
from paws.errors import ConfigurationError, RetriableError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)


class RawFolders:
    """Sweeps raw folders and listens to the kernel, and tells an `Ingest` what comes up.

    Parameters
    ----------
    ingest
        Told of files.
    """

    def __init__(self, settings: Settings, pool: Pool, ingest: Ingest, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._pool = pool
        self._ingest = ingest
        self._clock = clock
        # Not resolved: a link that leads elsewhere tomorrow is followed there.
        self._roots = [os.path.abspath(path) for path in settings.raw_dirs]
        self._wake = asyncio.Event()
        self._watcher: Watcher | None = None
        self._watch_problem = ""
        self._remote = False
        self._away: dict[str, str] = {}
        self._told: dict[str, str] = {}

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Look and listen until cancelled.

        Parameters
        ----------
        on_ready
            Called once the first sweep is done: from then on nothing is missed.

        Raises
        ------
        ConfigurationError
            If kernel notices were asked for and the kernel refuses them.
        """
        self._start_watcher()
        try:
            while True:
                await self._sweep_all()
                on_ready()
                on_ready = _nothing
                await self._pause()
        finally:
            if self._watcher is not None:
                await asyncio.to_thread(self._watcher.stop)

    @property
    def listens(self) -> bool:
        """Whether kernel notices are in use."""
        return self._watcher is not None

    def _start_watcher(self) -> None:
        mode = self._settings.ingest_mode
        if mode == "polling":
            return
        remote = [root for root in self._roots if is_network_file_system(root)]
        if mode == "auto" and remote:
            # What is written on this machine is still noticed, at once.
            self._remote = True
            log.warning(
                "polling too: the kernel does not notice what other machines write there", folders=remote
            )
        loop = asyncio.get_running_loop()
        watcher = Watcher(
            threadsafe(loop, self._ingest.notify), threadsafe(loop, lambda _path: self._wake.set())
        )
        try:
            watcher.start()
        except OSError as error:
            self._refused(error)
            return
        self._watcher = watcher

    def _refused(self, error: OSError) -> None:
        if self._settings.ingest_mode == "events":
            raise ConfigurationError(
                f"The kernel refuses to watch the raw folders: {error.strerror}. Raise "
                "fs.inotify.max_user_watches and max_user_instances, or set PAWS_INGEST_MODE=polling."
            )
        log.warning("polling: the kernel refuses to watch the raw folders", error=str(error))

    async def _pause(self) -> None:
        hurried = self._watcher is None or self._remote or self._away
        interval = self._settings.ingest_poll_interval if hurried else self._settings.ingest_sweep_interval
        try:
            await asyncio.wait_for(self._wake.wait(), timeout=interval)
        except TimeoutError:
            return
        self._wake.clear()

    async def _sweep_all(self) -> None:
        seen: set[str] = set()
        folders: set[str] = set()
        for root in self._roots:
            found = await asyncio.to_thread(sweep, root, self._settings.ingest_nights, self._watch)
            self._note_presence(found)
            seen.update(item.path for item in found.sightings)
            folders.update(found.folders)
            await self._hand_over(found)
        await self._tell_presence()
        if self._watch_problem:
            await self._give_up_watching()
        elif self._watcher is not None:
            await asyncio.to_thread(self._watcher.keep_only, folders)
        if not self._away:
            self._ingest.forget_all_but(seen)

    async def _hand_over(self, found: Sweep) -> None:
        try:
            await self._ingest.take_sweep(found.sightings, set(found.folders))
        except (RetriableError, *DATABASE_TROUBLES) as error:
            # The next sweep finds the same files again.
            log.warning("the database does not answer a sweep", error=f"{type(error).__name__}: {error}")

    def _watch(self, path: str, identity: FolderIdentity) -> None:
        """Place a watch, in the sweep's thread, before the folder is listed."""
        watcher = self._watcher
        if watcher is None or self._watch_problem:
            return
        try:
            watcher.watch(path, identity)
        except FileNotFoundError:
            return
        except OSError as error:
            self._watch_problem = error.strerror or str(error)

    async def _give_up_watching(self) -> None:
        problem, self._watch_problem = self._watch_problem, ""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            await asyncio.to_thread(watcher.stop)
        self._refused(OSError(0, problem))

    def _note_presence(self, found: Sweep) -> None:
        if found.present and self._away.pop(found.root, None) is not None:
            log.info("raw folder is back", folder=found.root)
        elif not found.present and found.root not in self._away:
            self._away[found.root] = found.problem
            log.warning("raw folder is away; waiting for it", folder=found.root, problem=found.problem)

    async def _tell_presence(self) -> None:
        """Let people see which raw folders are away. What could not be told is told with the next sweep."""
        now = self._clock()
        for root in self._roots:
            state = "away" if root in self._away else "present"
            if self._told.get(root, "present") == state:
                continue
            problem = self._away.get(root, "")
            text = (
                f"Raw folder {root} is away: {problem}. New frames are not seen until it returns."
                if problem
                else f"Raw folder {root} is back."
            )
            night = night_of(now, self._settings.site_longitude)
            try:
                await storage.record_notice(self._pool, f"raw_folder:{root}", state, night, text, now)
            except DATABASE_TROUBLES as error:
                log.warning("a notice could not be written", error=str(error))
            else:
                self._told[root] = state


def _nothing() -> None:
    return
