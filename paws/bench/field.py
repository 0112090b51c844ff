"""One simulated field of both arms, reduced command by command."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from astropy.io import fits

from paws.errors import PawsError

CCDS = {"blue": 1, "red": 2}
SPLICED = "spliced.fits"
DATE = "20260312"
BRIGHTEST = 55000.0
"""Counts above which a pixel of a flat is taken as saturated."""

LONGEST = 1800.0
"""Seconds that a simulation may take."""

DEADLINE = 600.0
"""Seconds that one command of the reducer may take."""


class BenchError(PawsError):
    """Raised when a program that is being measured fails; the message ends with the last lines of its log."""

    code = "bench_failed"


class Reducer:
    """A warm process of the built-in reducer, as the runner's pool keeps them.

    Attributes
    ----------
    peak : int
        Most memory that the process has held so far, as its last answer told [byte].
    """

    def __init__(self) -> None:
        self.peak = 0
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

    def run(self, folder: Path, *argv: str) -> float:
        """Carry out a command; its CPU seconds.

        Raises
        ------
        BenchError
            When the command fails, or the process dies or does not answer in time.
        """
        answer = self._ask(folder, argv)
        if answer["status"] != 0:
            last = " / ".join(answer["log"].splitlines()[-2:])
            raise BenchError(f"{argv[0]} in {folder.name} failed: {last}")
        return float(answer["cpu"])

    def attempt(self, folder: Path, *argv: str) -> tuple[int, str]:
        """Carry out a command that may fail; its status and log."""
        answer = self._ask(folder, argv)
        return int(answer["status"]), str(answer["log"])

    def _ask(self, folder: Path, argv: tuple[str, ...]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"cwd": str(folder), "argv": argv}) + "\n")
        self._process.stdin.flush()
        # A process that is killed ends its output, which is what the reading below waits for.
        watch = threading.Timer(DEADLINE, self._process.kill)
        watch.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        if not line:
            raise BenchError(
                f"the reducer died of {argv[0]} in {folder}, or took more than {DEADLINE:.0f} s; "
                "run python -m quicklook.batch by hand"
            )
        answer: dict[str, Any] = json.loads(line)
        self.peak = int(answer["peak"])
        return answer


@dataclass
class Arm:
    """The reduced frames of one arm: names of raw frames, beside which the products lie.

    Attributes
    ----------
    folder : Path
    grating : str
    flat, arc : str
    science : list of str
    sky : str
        Twilight or offset-sky frame; empty when there is none.
    seconds : dict of str to list of float
        CPU seconds of every command, by verb.
    """

    folder: Path
    grating: str
    flat: str = ""
    arc: str = ""
    sky: str = ""
    science: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def final(self) -> str:
        """The arm's last product: the combined frame, or the only exposure."""
        return "combined.fits" if len(self.science) > 1 else f"{self.science[0]}red.fits"

    @property
    def calibrations(self) -> list[str]:
        """The parameters with which a science frame is reduced."""
        return [
            "-TLMAP_FILENAME", f"{self.flat}tlm.fits", "-WAVEL_FILENAME", f"{self.arc}red.fits",
            "-FFLAT_FILENAME", f"{self.flat}red.fits", "-BIAS_FILENAME", "BIAScombined.fits",
            *(("-THPUT_FILENAME", f"{self.sky}red.fits") if self.sky else ()),
        ]  # fmt: skip


def simulate(
    root: Path, gratings: str, seed: int, exposures: int, *, truth: bool, more: Sequence[str] = ()
) -> Path:
    """Write a simulated night; returns the folder of its raw frames.

    Parameters
    ----------
    root : Path
    gratings : str
        One for each arm.
    seed, exposures : int
    truth : bool
        Write what is true as well.
    more : sequence of str
        Words added to the simulator's command.
    """
    command = [
        sys.executable, "-m", "simulator", str(root / "raw"), "--date", DATE, "--fields", "1", "--exposures",
        str(exposures), "--seed", str(seed), "--biases", "10", "--darks", "0", "--gratings", gratings, "--existing", "skip",
        *more,
    ]  # fmt: skip
    done = subprocess.run(
        command + (["--truth", str(root / "truth")] if truth else []),
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"the simulation of {gratings} failed: {done.stderr.strip()[-300:]}")
    return root / "raw" / DATE[2:]


def reduce_field(
    reducer: Reducer, night: Path, gratings: Mapping[str, str], *, keep: bool, how: Sequence[str] = ()
) -> list[Arm]:
    """Reduce a night's only field arm by arm, combine its exposures, and splice where there are two arms.

    Parameters
    ----------
    reducer : Reducer
    night : Path
        Folder of raw frames.
    gratings : mapping of str to str
        Arm to grating.
    keep : bool
        Keep intermediate frames.
    how : sequence of str
        Words added to the commands that reduce science frames.
    """
    arms = [
        _reduce_arm(reducer, Arm(night / f"ccd_{CCDS[arm]}", grating), keep=keep, how=how)
        for arm, grating in gratings.items()
    ]
    if len(arms) == len(CCDS):
        both = " ".join(str(arm.folder / arm.final) for arm in arms)
        seconds = reducer.run(night, "splice", both, "-OUTPUT_FILE", SPLICED)
        arms[0].seconds["splice"] = [seconds]
    return arms


def _reduce_arm(reducer: Reducer, arm: Arm, *, keep: bool, how: Sequence[str]) -> Arm:
    def run(*argv: str) -> None:
        # The images of biases tell nothing that their products do not, and would fill the disk.
        kept = keep and argv[0] != "reduce_bias"
        seconds = reducer.run(arm.folder, *argv, "-KEEP_INTERMEDIATE", str(int(kept)))
        arm.seconds.setdefault(argv[0], []).append(seconds)

    frames = _classified(arm.folder)
    for bias in frames["BIAS"]:
        run("reduce_bias", f"{bias}.fits")
    run("combine_image", _reduced(frames["BIAS"]), "-COMBINEDFILE", "BIAScombined.fits")
    for bias in frames["BIAS"]:
        (arm.folder / f"{bias}red.fits").unlink()
    use = ["-BIAS_FILENAME", "BIAScombined.fits"]
    arm.arc, arm.science = frames["MFARC"][0], frames["MFOBJECT"]
    arm.flat = max(frames["MFFFF"], key=lambda name: _light(arm.folder / f"{name}.fits"))
    lines = ["-TLMAP_FILENAME", f"{arm.flat}tlm.fits"]
    run("make_tlm", f"{arm.flat}.fits", *use)
    run("reduce_arc", f"{arm.arc}.fits", *lines, *use)
    run(
        "reduce_fflat", f"{arm.flat}.fits", *lines, "-DO_TLMAP", "0", "-WAVEL_FILENAME", f"{arm.arc}red.fits", *use
    )  # fmt: skip
    for sky in frames.get("MFSKY", [])[:1]:
        run("reduce_sky", f"{sky}.fits", *arm.calibrations)
        arm.sky = sky
    for science in arm.science:
        run("reduce_object", f"{science}.fits", *arm.calibrations, *how)
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
    """Light of a flat; minus its saturated part when that is more than a few pixels."""
    counts = fits.getdata(path)[::9, :2048:7]
    saturated = float((counts > BRIGHTEST).mean())
    return float(np.percentile(counts, 99)) if saturated < 0.01 else -saturated


@contextmanager
def opened(path: Path) -> Iterator[fits.HDUList]:
    """A product to be read."""
    with fits.open(path, memmap=False) as hdus:
        yield hdus
