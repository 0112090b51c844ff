"""Processes that the suite started, and nobody else's: found by descent, signalled by their ids."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paws.errors import PermanentError


class NotOursToKillError(PermanentError):
    """A process does not descend from what the suite started."""

    code = "chaos.not_ours"


@dataclass(frozen=True)
class Process:
    """A process: its id, its parent's, its state as in proc(5), its command line."""

    pid: int
    parent: int
    state: str
    command: tuple[str, ...]


def processes() -> dict[int, Process]:
    """All processes of the machine by id, as they are now."""
    found: dict[int, Process] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in parentheses may hold anything: the fields after it count from its end.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        command = tuple(word.decode(errors="replace") for word in words if word)
        found[int(entry.name)] = Process(int(entry.name), int(fields[1]), fields[0], command)
    return found


def descendants(ancestor: int) -> list[Process]:
    """Processes that descend from another and live, nearest first."""
    every = processes()
    children: dict[int, list[Process]] = {}
    for process in every.values():
        children.setdefault(process.parent, []).append(process)

    def below(pid: int) -> Iterator[Process]:
        for child in sorted(children.get(pid, []), key=lambda process: process.pid):
            yield child
            yield from below(child.pid)

    return [process for process in below(ancestor) if process.state not in ("Z", "X")]


def send(pid: int, number: signal.Signals, ancestor: int) -> bool:
    """Signal a process that descends from another; tell whether it was there.

    Raises
    ------
    NotOursToKillError
        If it is there and does not descend from it.
    """
    every = processes()
    if pid not in every:
        return False
    current = pid
    while current != ancestor:
        if current not in every or current == 1:
            raise NotOursToKillError(
                f"Process {pid} does not descend from process {ancestor}; it is left alone."
            )
        current = every[current].parent
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def processor_time(pid: int) -> int:
    """Processor time that a process has used, in clock ticks; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def naming(text: str) -> list[str]:
    """Command lines of processes that name or work in a folder: what a stopped system must not leave."""
    found: list[str] = []
    for process in processes().values():
        if process.pid == os.getpid() or process.state in ("Z", "X"):
            continue
        try:
            where = str(Path(f"/proc/{process.pid}/cwd").readlink())
        except OSError:
            where = ""
        if text in " ".join(process.command) or where.startswith(text):
            found.append(f"process {process.pid}: {' '.join(process.command)[:160]}")
    return found
