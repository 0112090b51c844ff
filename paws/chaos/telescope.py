"""The telescope of a disturbed night: frames made once, delivered at random moments."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from paws.errors import PermanentError

NIGHT = "20260312"
"""Date of every simulated night."""

MAKING_DEADLINE = 900.0
RETRY_EVERY = 0.2


@dataclass(frozen=True)
class Field:
    """What is observed of one field.

    Attributes
    ----------
    exposures, biases, darks
        How many, for each arm.
    """

    exposures: int = 3
    biases: int = 3
    darks: int = 1
    arms: tuple[str, ...] = ("blue", "red")


WHOLE = Field()
SMALL = Field(exposures=2, biases=2, darks=0, arms=("red",))
"""Enough for every kind of reduction but splicing and darks."""


async def make_frames(folder: Path, seed: int, field: Field = WHOLE) -> None:
    """Simulate the raw frames of a night, once; nothing is done when they are there.

    Raises
    ------
    PermanentError
        If the simulator fails.
    """
    if await asyncio.to_thread(folder.exists):
        return
    unfinished = folder.with_name(f".{folder.name}")
    arguments = {
        "--date": NIGHT,
        "--fields": 1,
        "--exposures": field.exposures,
        "--biases": field.biases,
        "--darks": field.darks,
        "--arms": ",".join(field.arms),
        "--seed": seed,
    }
    words = [str(part) for pair in arguments.items() for part in pair]
    await _run_module("simulator", str(unfinished), "--existing", "overwrite", *words)
    unfinished.rename(folder)


async def warm_reducer() -> None:
    """Compile the built-in reducer, once: else each runner that is killed while it does so begins it anew.

    Raises
    ------
    PermanentError
        If it cannot be compiled.
    """
    await _run_module("quicklook.warming")


async def _run_module(name: str, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", name, *words),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MAKING_DEADLINE):
            _, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise PermanentError(f"{name} failed: {complaints.decode(errors='replace')[-2000:]}")


def frames_of(folder: Path) -> list[Path]:
    """Raw frames below a folder, in the order in which they were taken, both arms of an exposure together."""
    return sorted(folder.rglob("*.fits"), key=lambda path: (path.stem[-4:], path.stem))


class Telescope:
    """Delivers the frames of a night into a raw folder.

    Parameters
    ----------
    frames
        Folder of the frames, as `make_frames` leaves it.
    raw
        Folder into which they are delivered, on the same file system. While it is away, the telescope waits,
        as a copying program would.
    seconds
        Over which they are delivered.
    source
        Of the random moments.
    """

    def __init__(self, frames: Path, raw: Path, seconds: float, source: random.Random) -> None:
        self._frames = frames
        self._raw = raw
        self.planned = frames_of(frames)
        moments = sorted(source.uniform(0.0, seconds) for _ in self.planned)
        self._moments = [moment if seconds else 0.0 for moment in moments]
        self.finished = False

    async def observe(self) -> None:
        """Deliver every frame at its moment."""
        began = asyncio.get_running_loop().time()
        for frame, moment in zip(self.planned, self._moments, strict=True):
            await asyncio.sleep(began + moment - asyncio.get_running_loop().time())
            await self._deliver(frame)
        self.finished = True

    async def _deliver(self, frame: Path) -> None:
        relative = frame.relative_to(self._frames)
        while True:
            with contextlib.suppress(OSError):
                if self._raw.is_dir():
                    target = self._raw / relative
                    self._place(frame, target)
                    return
            await asyncio.sleep(RETRY_EVERY)

    def _place(self, frame: Path, target: Path) -> None:
        for folder in reversed(target.relative_to(self._raw).parents[:-1]):
            (self._raw / folder).mkdir(exist_ok=True)
        temporary = target.with_name(f".{target.name}.part")
        temporary.unlink(missing_ok=True)
        os.link(frame, temporary)
        temporary.rename(target)
