"""Find and judge the raw files of a night folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents.ingest.folders import Sighting, sweep
from agents.ingest.inspect import Inspection, Verdict
from agents.ingest.names import printable
from agents.ingest.reading import FileTime, in_threads, inspect_old
from paws.errors import InvalidInputError
from schemas.frames import Frame

OnProgress = Callable[[int, int], None]
"""Told how many are done, and of how many."""


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be used, and why."""

    path: str
    code: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """What lies in a night folder.

    Attributes
    ----------
    not_ours
        Number of dummy and glance exposures.
    """

    frames: tuple[Frame, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    not_ours: int = 0


async def scan(folder: Path, out: Path, longitude: float, workers: int, on_progress: OnProgress) -> Scan:
    """Inspect every raw file below a folder, in threads.

    Parameters
    ----------
    out
        Folder of products, passed over where it lies below `folder`.
    longitude
        Of the site, degrees east.

    Raises
    ------
    InvalidInputError
        If the folder cannot be read.
    """
    found = await asyncio.to_thread(sweep, str(folder), None)
    if not found.present:
        raise InvalidInputError(f"{folder} cannot be reduced: {found.problem}. Name a folder of raw frames.")
    sightings = await asyncio.to_thread(_without_products, found.sightings, folder, out)
    inspections: list[Inspection] = []
    on_progress(0, len(sightings))
    async for part in in_threads(sightings, partial(_inspect_chunk, longitude=longitude), workers):
        inspections += part
        on_progress(len(inspections), len(sightings))
    return accept(inspections)


def accept(inspections: Iterable[Inspection]) -> Scan:
    """Sort files into frames and rejects. Pure.

    A file that lies there twice is one frame. Of two files with the same name and night and other content,
    the one that was complete first is the frame, as if they had come to the live system one by one.
    """
    frames: dict[tuple[str, str], Frame] = {}
    rejected: list[Rejected] = []
    not_ours = 0
    valid: list[Frame] = []
    for item in inspections:
        if item.frame is not None:
            valid.append(item.frame)
        elif item.verdict is Verdict.NOT_OURS:
            not_ours += 1
        else:
            rejected.append(Rejected(printable(item.path), item.code, item.reason))
    for frame in sorted(valid, key=lambda item: (item.completed_at, item.path)):
        holder = frames.setdefault((frame.night, frame.name), frame)
        if holder.frame_id != frame.frame_id:
            rejected.append(Rejected(frame.path, "duplicate_name", _duplicate(frame, holder)))
    return Scan(tuple(frames.values()), tuple(sorted(rejected, key=lambda item: item.path)), not_ours)


def _duplicate(frame: Frame, holder: Frame) -> str:
    return (
        f"Night {frame.night} has another frame named {frame.name}, with other content: {holder.path}. "
        "It stays the valid one; remove the file that is wrong."
    )


def _without_products(sightings: list[Sighting], folder: Path, out: Path) -> list[Sighting]:
    root, products = folder.resolve(), out.resolve()
    if root == products or not products.is_relative_to(root):
        return sightings
    return [item for item in sightings if not Path(item.path).parent.resolve().is_relative_to(products)]


def _inspect_chunk(files: list[FileTime], longitude: float) -> list[Inspection]:
    return [inspect_old(file, longitude) for file in files]
