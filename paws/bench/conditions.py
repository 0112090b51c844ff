"""Fields in conditions that are not as usual: what the simulator is told, and how science is then reduced."""

from __future__ import annotations

from dataclasses import dataclass

from paws.bench.field import BenchError

ALL = "all"


@dataclass(frozen=True)
class Case:
    """One condition under which the figures of fidelity must hold.

    Attributes
    ----------
    name, meaning : str
    simulation : tuple of str
        Words added to the simulator's command.
    reduction : tuple of str
        Words added to the command that reduces a science frame.
    arms : tuple of str
        Arms that are taken.
    """

    name: str
    meaning: str
    simulation: tuple[str, ...] = ()
    reduction: tuple[str, ...] = ()
    arms: tuple[str, ...] = ("blue", "red")


def _told(*pairs: str) -> tuple[str, ...]:
    return tuple(word for pair in pairs for word in ("--condition", pair))


CASES = (
    Case("ordinary", "as usual"),
    Case("broken", "30 broken fibres", _told("broken=30")),
    Case("mistyped", "eight fibres with another's type: an object as sky, dark ones as sky and objects",
         _told("mistyped=4")),
    Case("permuted", "twelve slitlets in each other's place", _told("exchanged=6")),
    Case("saturated-arc", "arc lines twenty times as bright", _told("arc_level=20")),
    Case("weak-arc", "arc lines ten times fainter", _told("arc_level=0.1")),
    Case("saturated-flat", "a flat saturated in places", _told("flat_level=6")),
    Case("drift", "spectra half a pixel from where flat and arc had them, in x and y",
         _told("drift_x=0.5", "drift_y=-0.5")),
    Case("over-exposed", "targets four magnitudes brighter, the brightest saturated", _told("target_magnitude=-4")),
    Case("under-exposed", "exposures of one minute", ("--exposure-time", "60")),
    Case("few-sky", "five sky fibres", _told("sky_fibres=5")),
    Case("twilight", "throughput from a twilight frame", ("--twilight",), ("-TPMETH", "OFFSKY")),
    Case("offset-sky", "throughput from an offset-sky frame", ("--offset-sky",), ("-TPMETH", "OFFSKY")),
    Case("bad-columns", "six dead columns", _told("dead_columns=6")),
    Case("scattered", "ten times the scattered light", _told("haze=10")),
    Case("profile", "a lopsided profile that changes four times as much over the chip, wings 2.5 times as bright",
         _told("profile_change=4", "wings=2.5")),
    Case("blue-only", "no red arm", ("--arms", "blue"), arms=("blue",)),
    Case("red-only", "no blue arm", ("--arms", "red"), arms=("red",)),
)  # fmt: skip


def chosen(names: str) -> tuple[Case, ...]:
    """Cases by name, separated by commas; ``all`` is every one.

    Raises
    ------
    BenchError
        On an unknown name.
    """
    if names.strip() == ALL:
        return CASES
    known = {case.name: case for case in CASES}
    words = [word.strip() for word in names.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise BenchError(f"{word!r} is no condition; choose {ALL} or some of {', '.join(known)}")
    return tuple(known[word] for word in words)
