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
        Slots of the machine.
    system
        What shares them, such as the data folder: other systems on the machine have their own.
    """

    def __init__(self, most: int, system: str) -> None:
        self._most = most
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
        for number in range(self._most):
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


async def await_slots(slots: HostSlots, wanted: int) -> int:
    """Wait until at least one slot is free, and take up to so many as are wanted.

    Returns
    -------
    int
        How many are held.
    """
    taken = slots.take(wanted)
    if not taken:
        log.info("all slots of this host are taken; waiting for one", wanted=wanted)
    while not taken:
        await asyncio.sleep(LOOK_INTERVAL)
        taken = slots.take(wanted)
    if taken < wanted:
        log.info("fewer slots are free on this host than wanted", wanted=wanted, taken=taken)
    return taken
