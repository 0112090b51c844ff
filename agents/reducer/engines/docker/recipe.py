"""What every container of an engine is made of: image, user, limits, mounts. Pure."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from paws.errors import ConfigurationError
from paws.settings import Settings

INPUTS, WORK, SCRATCH = "/inputs", "/job", "/scratch"
"""Folders in a container: files to read, the one folder to write products into, scratch in memory."""

LABEL = "org.paws-live."
"""Start of the labels of containers and images."""

INVALID_STATUS_LABEL = f"{LABEL}invalid-status"
"""Label of an image: exit statuses of its ``aaorun``, separated by commas, that mean a bad input."""

_MEGABYTE = 1 << 20
_NOBODY = 65534
_SHARES = 110
"""Weight among services and containers, whose own is 1024: the kernel gives a process of niceness 10 as much."""

_SHARED_MEMORY = 64 * _MEGABYTE


class PathNotMappedError(ConfigurationError):
    """A folder that containers need has no name on the machine of the daemon."""

    code = "docker_path_not_mapped"


@dataclass(frozen=True)
class Recipe:
    """How containers of an engine are made.

    Attributes
    ----------
    engine
        Name of the engine.
    image
        Identifier of the image, not its name: a name may be given to another image during a night.
    uid, gid
        Who works in the container.
    memory, scratch, shared_memory
        In bytes. Scratch and shared memory count as memory.
    cpus
        Processors.
    pids
        Processes and threads.
    paths
        Our folders, as the machine of the daemon knows them.
    """

    engine: str
    image: str
    uid: int
    gid: int
    memory: int
    scratch: int
    cpus: float
    pids: int
    paths: Mapping[str, str]
    shared_memory: int = _SHARED_MEMORY

    @classmethod
    def of(cls, settings: Settings, engine: str, image: str, processors: int) -> Recipe:
        """Recipe in the settings.

        Parameters
        ----------
        processors
            Of the daemon's machine; Docker refuses to give more.

        Raises
        ------
        ConfigurationError
            If the user in the settings cannot own what the runner works with.
        """
        uid, gid = working_user(settings.docker_user, os.getuid(), os.getgid(), settings.data_dir)
        return cls(
            engine=engine,
            image=image,
            uid=uid,
            gid=gid,
            memory=settings.docker_memory * _MEGABYTE,
            scratch=settings.docker_scratch * _MEGABYTE,
            cpus=min(settings.docker_cpus, float(processors)),
            pids=settings.docker_pids,
            paths=settings.docker_paths,
        )

    def on_daemon(self, folder: Path) -> str:
        """Name of one of our folders on the machine of the daemon; see `map_path`."""
        return map_path(folder, self.paths)

    @property
    def digest(self) -> str:
        """Tells apart containers that were made in another way."""
        parts = (self.engine, self.image, self.uid, self.gid, self.memory, self.scratch, self.cpus, self.pids)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def working_user(chosen: str, uid: int, gid: int, data_dir: Path) -> tuple[int, int]:
    """Who works in containers, so that the runner owns what comes out.

    Parameters
    ----------
    chosen
        ``UID:GID`` in the settings, or empty.
    uid, gid
        The runner's own.
    data_dir
        A runner that is root lets the owner of this folder work.

    Raises
    ------
    ConfigurationError
        If `chosen` is root, or a user to whom this runner cannot give files.
    """
    if chosen:
        wanted = int(chosen.partition(":")[0]), int(chosen.partition(":")[2])
        if wanted[0] == 0:
            raise ConfigurationError(
                f"PAWS_DOCKER_USER is {chosen}: root must not work in containers. Name an ordinary user."
            )
        if uid not in (0, wanted[0]):
            raise ConfigurationError(
                f"PAWS_DOCKER_USER is {chosen}, but only root may give files to another user. Leave it empty, or "
                f"run the runner as user {wanted[0]}."
            )
        return wanted
    if uid != 0:
        return uid, gid
    try:
        owner = data_dir.stat()
    except FileNotFoundError:
        return _NOBODY, _NOBODY
    return (owner.st_uid, owner.st_gid) if owner.st_uid != 0 else (_NOBODY, _NOBODY)


def map_path(folder: Path, paths: Mapping[str, str]) -> str:
    """Name of a folder on the machine of the daemon. The longest of our folders in `paths` decides.

    Raises
    ------
    PathNotMappedError
        If `paths` is given and has no folder above this one.
    """
    if not paths:
        return str(folder)
    homes = [home for home in paths if folder.is_relative_to(home)]
    if not homes:
        raise PathNotMappedError(
            f"PAWS_DOCKER_PATHS does not say what {folder} is called on the machine of the Docker daemon. Add it, or "
            f"a folder above it. Known: {', '.join(paths)}."
        )
    home = max(homes, key=len)
    return str(PurePosixPath(paths[home]) / folder.relative_to(home))


def creation(recipe: Recipe, room: Path, labels: Mapping[str, str]) -> dict[str, Any]:
    """Body of the request that creates a container.

    Parameters
    ----------
    room
        Folder with the folders that it sees; see `agents.reducer.engines.docker.room`.
    """
    own = f"uid={recipe.uid},gid={recipe.gid},mode=0700,nosuid,nodev"
    return {
        "Image": recipe.image,
        "User": f"{recipe.uid}:{recipe.gid}",
        "WorkingDir": WORK,
        "Env": [f"HOME={SCRATCH}", "DISPLAY=:99", "TMPDIR=/tmp"],
        "Labels": dict(labels),
        # Nobody outside can be reached, and nobody outside reaches in.
        "NetworkDisabled": True,
        "Hostname": "engine",
        "AttachStdout": False,
        "AttachStderr": False,
        "StopSignal": "SIGKILL",
        # The image's own look at its health would run among the commands. The engine looks at its start, and
        # each command tells more.
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Privileged": False,
            "IpcMode": "private",
            "Memory": recipe.memory,
            # As much as memory alone: none of it may be swapped out, which would slow the whole machine down.
            "MemorySwap": recipe.memory,
            "NanoCpus": round(recipe.cpus * 1e9),
            "CpuShares": _SHARES,
            "PidsLimit": recipe.pids,
            "ShmSize": recipe.shared_memory,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            # It writes only what it says at its start; commands speak through their own streams.
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            "RestartPolicy": {"Name": "no"},
            "Tmpfs": {
                SCRATCH: f"rw,exec,size={recipe.scratch},{own}",
                "/tmp": f"rw,exec,size={recipe.scratch},nosuid,nodev,mode=1777",  # noqa: S108 - in the container
            },
            "Mounts": [
                _bind(recipe.on_daemon(room / "in"), INPUTS, read_only=True),
                _bind(recipe.on_daemon(room / "work"), WORK, read_only=False),
            ],
        },
    }


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }
