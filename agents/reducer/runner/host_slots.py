"""A limit to the reductions of a machine, whatever the number of runner processes on it.

A slot is a name in the kernel's abstract socket namespace, which one process at a time can hold. The kernel frees it
with the process, however that ends; no file can be left behind, and no service is asked. Containers with a network
of their own count as machines of their own.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import socket
from types import TracebackType
from typing import Self

from paws.errors import ConfigurationError
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)

LOOK_INTERVAL = 1.0
"""Seconds between looks for a slot that was freed."""


class HostSlots:
    """The slots of this machine that a process holds. Freed at the end of its context.

    Parameters
    ----------
    most
        Slots of the machine; 0 sets no limit.
    system
        What shares them, such as the data folder: other systems on the machine have their own.
    """

    def __init__(self, most: int, system: str) -> None:
        self.most = most
        self._name = f"paws-slot-{hashlib.sha256(system.encode()).hexdigest()[:16]}"
        self._held: list[socket.socket] = []

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Slots as the settings limit them."""
        return cls(settings.runner_host_slots, str(settings.data_dir.resolve()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()

    def take(self, wanted: int) -> int:
        """Take up to so many more slots.

        Returns
        -------
        int
            How many were free and are held now.

        Raises
        ------
        ConfigurationError
            If this system cannot hold them.
        """
        taken = 0
        for number in range(self.most):
            if taken == wanted:
                break
            place = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                place.bind(f"\0{self._name}-{number}")
            except OSError as error:
                place.close()
                # Held by another, or by us.
                if error.errno == errno.EADDRINUSE:
                    continue
                raise ConfigurationError(
                    f"Slots of the host cannot be held here: {error}. Run without PAWS_RUNNER_HOST_SLOTS."
                ) from error
            self._held.append(place)
            taken += 1
        return taken

    def free(self) -> None:
        """Free all slots held."""
        while self._held:
            self._held.pop().close()


class Share:
    """How many reductions a runner may do at once: as many as it wants, or the slots of its host that it holds.

    Parameters
    ----------
    slots
        Of the host; without a limit to them, all that is wanted is held at once.
    wanted
        Reductions at once that the runner is set for.

    Attributes
    ----------
    held
        Reductions at once that it may do now. Grows; never shrinks while the runner lives.
    """

    def __init__(self, slots: HostSlots, wanted: int) -> None:
        self._slots = slots
        self._wanted = min(wanted, slots.most) if slots.most else wanted
        self.held = 0 if slots.most else wanted
        self._served = 0

    @property
    def wanted(self) -> int:
        """The most that it will ever hold."""
        return self._wanted

    async def begin(self) -> None:
        """Wait until one slot is held at least."""
        if self.held or self._take():
            return
        log.info("all slots of this host are taken; waiting for one", wanted=self._wanted)
        await self.grow()

    async def grow(self) -> None:
        """Wait until more slots are held; for ever when there are no more to be had."""
        if self.held == self._wanted:
            await asyncio.Event().wait()
        while not self._take():  # noqa: ASYNC110 - the kernel tells of no freed name
            await asyncio.sleep(LOOK_INTERVAL)

    def unserved(self) -> int:
        """Slots that came since this was last asked, for an engine that is to have as many."""
        new, self._served = self.held - self._served, self.held
        return new

    def _take(self) -> bool:
        taken = self._slots.take(self._wanted - self.held)
        self.held += taken
        if taken and self.held < self._wanted:
            log.info("fewer slots are free on this host than wanted", wanted=self._wanted, held=self.held)
        return taken > 0
