"""Containers that nobody looks after: which are adopted, which go. The decision is pure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agents.reducer.engines.docker.daemon import ContainerGoneError, Daemon
from agents.reducer.engines.docker.recipe import LABEL, Recipe
from agents.reducer.engines.docker.room import Room, remove_forsaken
from paws.log import get_logger

log = get_logger(__name__)

INSTANCE, ENGINE, ROOM, RECIPE, RUNNER = (
    f"{LABEL}{name}" for name in ("instance", "engine", "room", "recipe", "runner")
)
"""Labels of a container: whose it is, which engine, its room, how it was made, and by which runner."""


@dataclass(frozen=True)
class Found:
    """A container of this installation.

    Attributes
    ----------
    owned
        Whether a living runner owns its room.
    roomless
        Whether its room is gone.
    recipe
        Digest of how it was made.
    """

    running: bool
    executing: bool
    owned: bool
    roomless: bool
    recipe: str


@dataclass(frozen=True)
class Fate:
    """What becomes of a container, and why."""

    action: Literal["leave", "adopt", "remove"]
    reason: str


def fate(found: Found, recipe: str) -> Fate:
    """Decide about a container.

    Parameters
    ----------
    recipe
        Digest of how new containers would be made.
    """
    if found.owned:
        return Fate("leave", "a living runner owns it")
    if found.roomless:
        return Fate("remove", "its folders are gone")
    if not found.running:
        return Fate("remove", "it has ended")
    if found.executing:
        return Fate("remove", "its runner died in the middle of a command")
    if found.recipe != recipe:
        return Fate("remove", "it was made in another way")
    return Fate("adopt", "it is idle and as new ones would be")


async def take_stock(
    daemon: Daemon, recipe: Recipe, instance: str, work_dir: Path, most: int
) -> list[tuple[str, Room]]:
    """Adopt or remove what earlier runners of this installation left.

    Parameters
    ----------
    most
        Containers that can be used.

    Returns
    -------
    list of (str, Room)
        Adopted containers, with their rooms, now ours.
    """
    adopted: list[tuple[str, Room]] = []
    in_use: set[str] = set()
    for listed in await daemon.containers(f"{INSTANCE}={instance}"):
        name = str(listed["Labels"].get(ROOM, ""))
        in_use.add(name)
        room, owned = await asyncio.to_thread(_enter, work_dir, name)
        try:
            found = _found(await daemon.inspect(listed["Id"]), room, owned)
        except ContainerGoneError:
            if room is not None:
                room.remove()
            continue
        decision = fate(found, recipe.digest)
        if decision.action == "adopt" and len(adopted) >= most:
            decision = Fate("remove", "it is one more than this runner uses")
        if decision.action == "leave":
            continue
        log.info(decision.action, container=name, engine=listed["Labels"].get(ENGINE), reason=decision.reason)
        if decision.action == "adopt" and room is not None:
            adopted.append((str(listed["Id"]), room))
            continue
        await daemon.remove(listed["Id"])
        if room is not None:
            await asyncio.to_thread(room.remove)
    await asyncio.to_thread(remove_forsaken, work_dir, in_use)
    return adopted


def _enter(work_dir: Path, name: str) -> tuple[Room | None, bool]:
    """The room of a container, now ours, if nobody owns it; and whether somebody does."""
    if not name.isalnum():
        return None, False
    try:
        return Room.take_over(work_dir, name), False
    except BlockingIOError:
        return None, True


def _found(known: Mapping[str, Any], room: Room | None, owned: bool) -> Found:
    return Found(
        running=bool(known["State"]["Running"]) and not known["State"].get("Paused"),
        executing=bool(known.get("ExecIDs")),
        owned=owned,
        roomless=room is None and not owned,
        recipe=str(known["Config"]["Labels"].get(RECIPE, "")),
    )
