"""2dFdr's parameter files (``.idx``): the settings in them, and nothing of the Tcl around those."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from quicklook.errors import InvalidInput
from quicklook.parameters import BY_NAME, WITHOUT_EFFECT, Value

SETTERS = frozenset({"DRC_CONST_PAR", "DRC_OVERRIDE_PAR", "DRC_LOGICAL_PAR"})
MAX_DEPTH = 8
MAX_BYTES = 1_000_000

SHIPPED = frozenset(
    f"{name}.idx"
    for survey in ("ozdes", "gama", "2dflens", "wigglez", "aaomega2df", "2df")
    for name in (survey, f"{survey}_blue", f"{survey}_red")
) | frozenset(
    f"{grating}.idx"
    for grating in (
        "580V",
        "385R",
        "1700B",
        "1500V",
        "3200B",
        "2500V",
        "1000R",
        "1000I",
        "2000R",
        "1700I",
        "1700D",
    )
)
"""Files that come with 2dFdr: quicklook's own defaults stand for them."""


@dataclass
class IdxFile:
    """What an idx file sets.

    Attributes
    ----------
    values : dict
        Parameters of quicklook.
    notes : list of str
        What was not understood or not found, for the user.
    """

    values: dict[str, Value] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_idx(name: str, folder: Path) -> IdxFile:
    """Read an idx file, with those that it includes.

    Parameters
    ----------
    name : str
        As given; relative to ``folder``.
    folder : Path

    Raises
    ------
    InvalidInput
        When the file does not exist (and is none that 2dFdr ships), is no text, or sets a wrong value.
    """
    result = IdxFile()
    _read(name, folder, result, 0, required=True)
    return result


def _read(name: str, folder: Path, result: IdxFile, depth: int, *, required: bool) -> None:
    path = folder / name
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{name}: idx files include each other more than {MAX_DEPTH} deep")
    if not path.is_file():
        known = Path(name).name.lower() in {s.lower() for s in SHIPPED}
        if required and not known:
            raise InvalidInput(
                f"idx file {name} does not exist; give the path of one, or leave -idxfile away"
            )
        result.notes.append(
            f"{Path(name).name} comes with 2dFdr; the built-in defaults are used in its place"
        )
        return
    if path.stat().st_size > MAX_BYTES:
        raise InvalidInput(f"idx file {name} is larger than any parameter file")
    text = path.read_bytes().decode("latin-1")
    if "\0" in text:
        raise InvalidInput(f"idx file {name} is not a text file")
    for number, words in _commands(text):
        verb = words[0].upper()
        if verb == "DRC_INCLUDE" and len(words) > 1:
            _read(words[1], path.parent, result, depth + 1, required=False)
        elif verb in SETTERS and len(words) >= 3:
            _set(words[1], words[2], f"{path.name} line {number}", result)
        elif verb == "PROC":
            result.notes.append(
                f"{path.name} line {number}: procedure {' '.join(words[1:2])} is not carried out"
            )


def _set(name: str, text: str, where: str, result: IdxFile) -> None:
    key = name.upper()
    if key in BY_NAME:
        try:
            result.values[key] = BY_NAME[key].read(text)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error.message}") from error
    elif key not in WITHOUT_EFFECT:
        result.notes.append(f"{where}: parameter {name[:40]} is not known here and is ignored")


def _commands(text: str) -> list[tuple[int, list[str]]]:
    """Top-level commands as lists of words; the bodies of procedures are passed over."""
    commands: list[tuple[int, list[str]]] = []
    depth = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split(";#", 1)[0].strip()
        if not line or line.startswith("#"):
            continue
        if depth == 0:
            words = _words(line)
            if words:
                commands.append((number, words))
        opened = line.count("{") - line.count("}")
        depth = max(0, depth + opened)
    return commands


def _words(line: str) -> list[str]:
    plain = line.replace("{", '"').replace("}", '"')
    try:
        return shlex.split(plain, posix=True)
    except ValueError:
        return line.split()
