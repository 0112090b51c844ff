"""Looking at this machine: Python, disk, folders, ports, fonts. Reads, and writes one file that it removes."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agents.doctor.finding import Finding, error, ok, skipped, warning
from agents.doctor.judge import judge_disk, judge_python, judge_raw_folder
from agents.ingest.folders import is_network_file_system
from paws.embedded.runtime import read_runtime
from paws.operations import Disk, folders_of, room
from paws.settings import Settings

_NO_LINKS = (
    "Put the data folder on a file system with hard links (not FAT, not some network shares): else each "
    "product takes its room twice."
)


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    """Findings of this machine."""
    yield judge_python(tuple(sys.version_info[:3]))
    yield from _disks(settings)
    yield look_at_data_folder(settings.data_dir)
    yield from _raw_folders(settings)
    yield _web_port(settings)
    yield _fonts()


def _disks(settings: Settings) -> Iterator[Finding]:
    """Findings of each file system once, whatever lies on it."""
    told: dict[tuple[int, bool], tuple[list[str], Disk]] = {}
    for name, folder in folders_of(settings).items():
        try:
            disk = room(folder)
            key = (disk.device, name.startswith("raw"))
        except OSError as problem:
            yield error(
                f"disk: {name}", f"{folder} cannot be asked: {problem}", "Mount it, or correct its setting."
            )
            continue
        told.setdefault(key, ([], disk))[0].append(name)
    for names, disk in told.values():
        yield judge_disk(", ".join(names), disk)


def look_at_data_folder(folder: Path) -> Finding:
    """Whether we may write, rename and link in the data folder."""
    part = "data folder"
    if not folder.exists():
        return warning(part, f"{folder} is not there yet", "It is made at the first start, if we may.")
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as place:
            first, second = Path(place, "first"), Path(place, "second")
            first.write_bytes(b"paws")
            first.replace(second)
            try:
                first.hardlink_to(second)
            except OSError as problem:
                return warning(part, f"{folder} takes no hard links: {problem}", _NO_LINKS)
    except OSError as problem:
        return error(
            part,
            f"{folder} cannot be written by user {os.geteuid()}: {problem}",
            f"Let the user own it: chown -R {os.geteuid()} {folder}; or set PAWS_DATA_DIR.",
        )
    if is_network_file_system(str(folder)):
        return ok(
            part, f"{folder}, writable, on a network file system: runners of several machines may share it"
        )
    return ok(part, f"{folder}, writable")


def _raw_folders(settings: Settings) -> Iterator[Finding]:
    if not settings.raw_dirs:
        yield warning(
            "raw folders", "none is set", "Set PAWS_RAW_DIRS to the folder that raw frames land in."
        )
    for number, folder in enumerate(settings.raw_dirs, start=1):
        part = f"raw folder {number}"
        readable = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
        remote = readable and is_network_file_system(str(folder))
        yield judge_raw_folder(part, str(folder), readable=readable, remote=remote, mode=settings.ingest_mode)


def _web_port(settings: Settings) -> Finding:
    part = "web port"
    runtime = read_runtime(settings.data_dir)
    if runtime is not None and runtime.web_url:
        return ok(part, f"the system that runs here answers at {runtime.web_url}")
    if settings.web_port == 0:
        return ok(part, "a free one is taken")
    try:
        with socket.socket(socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.web_host, settings.web_port))
    except OSError as problem:
        return warning(
            part,
            f"{settings.web_host}:{settings.web_port} cannot be bound: {problem.strerror or problem}",
            "If that is `paws web` already, all is well; else set PAWS_WEB_PORT or PAWS_WEB_HOST.",
        )
    return ok(part, f"{settings.web_host}:{settings.web_port} is free")


def _fonts() -> Finding:
    """Fonts matter for figures drawn on this machine; pages use those of the browser."""
    if shutil.which("fc-list") is None:
        return skipped("fonts", "fontconfig is not installed; only pages drawn here would need fonts")
    places = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
    if any(next(place.rglob("*.[to]tf"), None) for place in places if place.is_dir()):
        return ok("fonts", "some are installed")
    return warning("fonts", "none is installed", "Debian: apt install fonts-dejavu-core.")
