"""Notices of the kernel about raw folders, through watchdog.

Only what tells of completion is asked for: moved here, closed after writing, created. watchdog holds every
"moved from" notice back for half a second, to pair it with its "moved to", and what follows waits behind it;
without "moved from" in the mask there is nothing to pair and nothing waits.

One watch a folder, not recursive: a raw folder may hold thousands of nights, of which the newest matter.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import InotifyConstants, Mask

from agents.ingest.completeness import Notice
from agents.ingest.folders import FolderIdentity
from paws.log import get_logger

log = get_logger(__name__)

OnFile = Callable[[str, Notice], None]
OnFolder = Callable[[str], None]


class _ArrivalEmitter(InotifyFullEmitter):
    def get_event_mask_from_filter(self) -> Mask:
        return Mask(
            InotifyConstants.IN_MOVED_TO
            | InotifyConstants.IN_CLOSE_WRITE
            | InotifyConstants.IN_CREATE
            | InotifyConstants.IN_DELETE_SELF
        )


class _Handler(FileSystemEventHandler):
    def __init__(self, on_file: OnFile, on_folder: OnFolder) -> None:
        self._on_file = on_file
        self._on_folder = on_folder

    def dispatch(self, event: FileSystemEvent) -> None:
        path = os.fsdecode(event.dest_path or event.src_path)
        if isinstance(event, (DirCreatedEvent, DirMovedEvent)):
            self._on_folder(path)
        elif isinstance(event, FileMovedEvent):
            self._on_file(path, Notice.MOVED)
        elif isinstance(event, FileClosedEvent):
            self._on_file(path, Notice.CLOSED)
        elif event.event_type == "created":
            self._on_file(path, Notice.FOUND)


class Watcher:
    """Watches folders and calls back, in a thread of its own.

    Parameters
    ----------
    on_file
        Called with a path and what was noticed.
    on_folder
        Called when a folder appeared.
    """

    def __init__(self, on_file: OnFile, on_folder: OnFolder) -> None:
        self._handler = _Handler(on_file, on_folder)
        self._observer = BaseObserver(_ArrivalEmitter)
        self._watches: dict[str, tuple[FolderIdentity, ObservedWatch]] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to watch.

        Raises
        ------
        OSError
            If the kernel offers no notices.
        """
        self._observer.start()

    def watch(self, path: str, identity: FolderIdentity) -> None:
        """Watch a folder. A folder that was replaced by another of its name is watched anew.

        Raises
        ------
        OSError
            If the kernel refuses, such as when its number of watches is used up.
        """
        with self._lock:
            known = self._watches.get(path)
            if known is not None and known[0] == identity and self._alive(known[1]):
                return
            self._forget(path)
            # A link to a folder is watched where it leads to; its notices still bear the link's path.
            watch = self._observer.schedule(self._handler, path, recursive=False, follow_symlink=True)
            self._watches[path] = (identity, watch)

    def keep_only(self, paths: set[str]) -> None:
        """Stop watching all other folders."""
        with self._lock:
            for path in set(self._watches) - paths:
                self._forget(path)

    @property
    def watched(self) -> frozenset[str]:
        """Folders that are watched."""
        with self._lock:
            return frozenset(self._watches)

    def stop(self) -> None:
        """Stop watching. Returns when the threads have ended."""
        self._observer.stop()
        if self._observer.is_alive():
            self._observer.join(timeout=5)

    def _alive(self, watch: ObservedWatch) -> bool:
        return any(
            emitter.watch == watch and emitter.is_alive() for emitter in self._observer.emitters.copy()
        )

    def _forget(self, path: str) -> None:
        known = self._watches.pop(path, None)
        if known is not None:
            # The folder may have gone, and its watch with it.
            with contextlib.suppress(KeyError, OSError):
                self._observer.unschedule(known[1])
