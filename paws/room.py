"""Telling people that a disk is full which only whoever started the system knows of: that of its own database."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from paws.notices import NoticeDesk

LEAST_ROOM = 64 << 20
"""Free bytes below which a disk counts as full."""

LOOK_INTERVAL = 2.0


class RoomWatch:
    """Watches the room for one folder.

    Parameters
    ----------
    desk
        Takes what is to be told, also while the database takes nothing.
    name
        Of what lies in the folder, for people.
    """

    def __init__(self, desk: NoticeDesk, name: str, folder: Path) -> None:
        self._desk = desk
        self._name = name
        self._folder = folder
        self._full = False

    def look(self) -> None:
        """Look once, and tell what has changed."""
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return  # not made yet
        if free < LEAST_ROOM and not self._full:
            self._full = True
            text = (
                f"There are only {free >> 20} MB left for the {self._name} in {self._folder}. What cannot be written "
                "waits until there is room; nothing is lost. Make room."
            )
            self._desk.tell(f"disk:{self._name}", "full", text)
        elif free > 2 * LEAST_ROOM and self._full:
            self._full = False
            self._desk.tell(f"disk:{self._name}", "room", f"There is room for the {self._name} again.")

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_INTERVAL)
