"""One simulated field of both arms, reduced command by command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from astropy.io import fits

from paws.errors import PawsError

CCDS = (1, 2)
DATE = "20260312"
BRIGHTEST = 55000.0
"""Counts above which a flat is taken as saturated."""

LONGEST = 1800.0
"""Seconds that a simulation may take."""


class BenchError(PawsError):
    """Raised when a program that is being measured fails; the message ends with the last lines of its log."""

    code = "bench_failed"


class Reducer:
    """A warm process of the built-in reducer, as the runner's pool keeps them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "quicklook.batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Reducer:
        """The process itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End of input ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def send(self, folder: Path, *argv: str) -> None:
        """Hand over a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"cwd": str(folder), "argv": argv}) + "\n")
        self._process.stdin.flush()

    def answer(self, what: str) -> float:
        """Wait for the command to end; its CPU seconds."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the reducer died of {what}; run python -m quicklook.batch by hand")
        answer = json.loads(line)
        if answer["status"] != 0:
            raise BenchError(f"{what} failed: " + " / ".join(answer["log"].splitlines()[-2:]))
        return float(answer["cpu"])

    def run(self, folder: Path, *argv: str) -> float:
        """Carry out a command; its CPU seconds."""
        self.send(folder, *argv)
        return self.answer(f"{argv[0]} in {folder.name}")


@dataclass
class Arm:
    """The reduced frames of one arm: names of raw frames, beside which the products lie.

    Attributes
    ----------
    folder : Path
    grating : str
    flat, arc : str
    science : list of str
    seconds : dict of str to list of float
        CPU seconds of every command, by verb.
    """

    folder: Path
    grating: str
    flat: str = ""
    arc: str = ""
    science: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def calibrations(self) -> list[str]:
        """The parameters with which a science frame is reduced."""
        return [
            "-TLMAP_FILENAME", f"{self.flat}tlm.fits", "-WAVEL_FILENAME", f"{self.arc}red.fits",
            "-FFLAT_FILENAME", f"{self.flat}red.fits", "-BIAS_FILENAME", "BIAScombined.fits",
        ]  # fmt: skip


def simulate(root: Path, gratings: str, seed: int, exposures: int, *, truth: bool) -> Path:
    """Write a simulated night; returns the folder of its raw frames."""
    command = [
        sys.executable, "-m", "simulator", str(root / "raw"), "--date", DATE, "--fields", "1", "--exposures",
        str(exposures), "--seed", str(seed), "--biases", "10", "--darks", "0", "--gratings", gratings, "--existing", "skip",
    ]  # fmt: skip
    done = subprocess.run(
        command + (["--truth", str(root / "truth")] if truth else []),
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"the simulation of {gratings} failed: {done.stderr.strip()[-300:]}")
    return root / "raw" / DATE[2:]


def reduce_field(reducer: Reducer, night: Path, gratings: str, *, keep: bool) -> list[Arm]:
    """Reduce a night's only field, both arms, and combine its exposures."""
    return [
        _reduce_arm(reducer, Arm(night / f"ccd_{ccd}", grating), keep=keep)
        for ccd, grating in zip(CCDS, gratings.split(","), strict=True)
    ]


def _reduce_arm(reducer: Reducer, arm: Arm, *, keep: bool) -> Arm:
    def run(*argv: str) -> None:
        seconds = reducer.run(arm.folder, *argv, "-KEEP_INTERMEDIATE", str(int(keep)))
        arm.seconds.setdefault(argv[0], []).append(seconds)

    frames = _classified(arm.folder)
    for bias in frames["BIAS"]:
        run("reduce_bias", f"{bias}.fits")
    run("combine_image", _reduced(frames["BIAS"]), "-COMBINEDFILE", "BIAScombined.fits")
    use = ["-BIAS_FILENAME", "BIAScombined.fits"]
    arm.arc, arm.science = frames["MFARC"][0], frames["MFOBJECT"]
    arm.flat = max(frames["MFFFF"], key=lambda name: _light(arm.folder / f"{name}.fits"))
    lines = ["-TLMAP_FILENAME", f"{arm.flat}tlm.fits"]
    run("make_tlm", f"{arm.flat}.fits", *use)
    run("reduce_arc", f"{arm.arc}.fits", *lines, *use)
    run(
        "reduce_fflat", f"{arm.flat}.fits", *lines, "-DO_TLMAP", "0", "-WAVEL_FILENAME", f"{arm.arc}red.fits", *use
    )  # fmt: skip
    for science in arm.science:
        run("reduce_object", f"{science}.fits", *arm.calibrations)
    if len(arm.science) > 1:
        run("combine_spectra", _reduced(arm.science), "-COMBINEDFILE", "combined.fits")
    return arm


def _reduced(names: list[str]) -> str:
    return " ".join(f"{name}red.fits" for name in names)


def _classified(folder: Path) -> dict[str, list[str]]:
    frames: dict[str, list[str]] = {}
    for path in sorted(folder.glob("[0-3][0-9]???[12][0-9][0-9][0-9][0-9].fits")):
        frames.setdefault(str(fits.getval(path, "NDFCLASS")).strip(), []).append(path.stem)
    return frames


def _light(path: Path) -> float:
    """Light of a flat, negative when it is saturated."""
    level = float(np.percentile(fits.getdata(path)[::9, :2048:7], 99))
    return level if level < BRIGHTEST else -level


@contextmanager
def opened(path: Path) -> Iterator[fits.HDUList]:
    """A product to be read."""
    with fits.open(path, memmap=False) as hdus:
        yield hdus
