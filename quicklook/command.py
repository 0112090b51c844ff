"""From the words of an ``aaorun`` command line to what is to be done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quicklook.errors import InvalidInput
from quicklook.idx import read_idx
from quicklook.parameters import BY_NAME, WITHOUT_EFFECT, Settings, Value

_FLAG = re.compile(r"^-[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(frozen=True)
class Command:
    """A command line, understood.

    Attributes
    ----------
    verb : str
        Lower case.
    words : tuple of str
        Words between the verb and the first parameter, with quoted lists taken apart.
    settings : Settings
    notes : tuple of str
        Warnings for the user.
    folder : Path
        Where relative names are looked for and products written, unless OUT_DIRNAME says otherwise.
    """

    verb: str
    words: tuple[str, ...]
    settings: Settings
    folder: Path
    notes: tuple[str, ...] = field(default=())

    @property
    def output(self) -> Path:
        """Folder for products."""
        name = self.settings.word("OUT_DIRNAME")
        return self.folder / name if name else self.folder

    def path(self, name: str) -> Path:
        """A file named by the user."""
        return self.folder / name

    def found(self, name: str) -> Path:
        """A file that must exist: in the working folder or, made by an earlier command, in the output folder."""
        for folder in (self.folder, self.output):
            if (folder / name).is_file():
                return folder / name
        raise InvalidInput(f"file {name} does not exist in {self.folder.name or self.folder}; check the name")


def parse(argv: Sequence[str], cwd: Path) -> Command:
    """Understand a command line.

    Parameters
    ----------
    argv : sequence of str
        Without the program's name: verb, files, then ``-NAME value`` pairs.
    cwd : Path
        Folder to which relative names refer.

    Raises
    ------
    InvalidInput
        On a missing verb, a parameter without value, or a wrong value.
    """
    if not argv or not argv[0].strip():
        raise InvalidInput("no command given; 'paws-aaorun help' lists them")
    verb = argv[0].strip().lower().lstrip("-") or "help"
    first_flag = next((i for i, word in enumerate(argv) if i > 0 and _FLAG.match(word)), len(argv))
    given, notes = _flags(argv[first_flag:])
    folder = cwd / str(given.get("WDIR", "")) if given.get("WDIR") else cwd
    if not folder.is_dir():
        raise InvalidInput(f"working folder {folder} does not exist; create it or correct -WDIR")
    values: dict[str, Value] = {}
    if given.get("IDXFILE"):
        idx = read_idx(str(given["IDXFILE"]), folder if (folder / str(given["IDXFILE"])).is_file() else cwd)
        values.update(idx.values)
        notes += idx.notes
    values.update(given)
    words = [part for word in argv[1:first_flag] for part in split_files(word, folder)]
    return Command(verb, tuple(words), Settings(values), folder, tuple(notes))


def split_files(word: str, folder: Path) -> list[str]:
    """Files of one argument: a list separated by blanks (or in Tcl braces), unless a file has that very name."""
    text = word.strip()
    if not text or "\0" in text:
        raise InvalidInput("an argument is empty or holds a NUL character; give file names")
    if text[0] == "{" and text[-1] == "}":
        text = text[1:-1].strip()
    if " " not in text or (len(text) < 1000 and (folder / text).is_file()):
        return [text]
    return text.split()


def _flags(words: Sequence[str]) -> tuple[dict[str, Value], list[str]]:
    values: dict[str, Value] = {}
    notes: list[str] = []
    i = 0
    while i < len(words):
        word = words[i]
        if not _FLAG.match(word):
            notes.append(f"argument {word[:60]!r} belongs to no parameter and is ignored")
            i += 1
            continue
        name = word[1:].upper()
        if i + 1 >= len(words) or _FLAG.match(words[i + 1]):
            raise InvalidInput(f"parameter {word} has no value; write {word} VALUE")
        text = words[i + 1]
        i += 2
        if name in BY_NAME:
            values[name] = BY_NAME[name].read(text)
        elif name in WITHOUT_EFFECT:
            notes.append(f"parameter -{name} is accepted and has no effect here")
        else:
            notes.append(f"parameter -{name[:40]} is not known and is ignored")
    return values, notes
