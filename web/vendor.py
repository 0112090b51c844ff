"""Libraries of others for the pages: brought from npm's registry at install time, never kept with our sources.

One manifest (`vendor.json`) names each with its version and the checksum of its archive. An archive that differs is
refused. Pages ask `Vendor.address` and say so where a library is not installed; each works without.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import httpx

from paws.errors import PermanentError, RetriableError
from paws.settings import Settings

MANIFEST: Final = Path(__file__).with_name("vendor.json")
_DEADLINE: Final = 60.0
_LARGEST: Final = 30_000_000
_TEXTS: Final = ("LICENSE", "LICENCE", "COPYING", "COPYING.LESSER", "NOTICE")


class VendorError(PermanentError):
    """A library cannot be installed. The message says what to do."""

    code = "vendor"


class VendorAwayError(RetriableError):
    """The registry cannot be reached."""

    code = "vendor_away"


@dataclass(frozen=True)
class Library:
    """One library of the manifest.

    Attributes
    ----------
    package, version, integrity
        What npm calls it, and the checksum of its archive as npm writes it.
    file
        The one file that pages load, within the package.
    serves
        What pages lack without it.
    """

    name: str
    package: str
    version: str
    integrity: str
    licence: str
    file: str
    serves: str

    @property
    def folder(self) -> str:
        """Folder of this version."""
        return f"{self.name}-{self.version}"

    @property
    def archive(self) -> str:
        """Name of its archive."""
        return f"{self.package.rpartition('/')[2]}-{self.version}.tgz"

    @property
    def file_name(self) -> str:
        """Name of the file that pages load."""
        return PurePosixPath(self.file).name


def read_manifest(path: Path = MANIFEST) -> tuple[str, tuple[Library, ...]]:
    """Registry and libraries of a manifest."""
    document = json.loads(path.read_text("utf-8"))
    return document["registry"], tuple(Library(**item) for item in document["libraries"])


def vendor_dir(settings: Settings) -> Path:
    """Where libraries are installed: beside the interpreter's other files unless the settings name a folder."""
    return settings.vendor_dir or Path(sys.prefix) / "share" / "paws-live" / "vendor"


class Vendor:
    """What is installed, for the pages. Looked up at each question: an installation needs no restart."""

    def __init__(self, folder: Path, libraries: Sequence[Library] | None = None) -> None:
        self.folder = folder
        self._libraries = {one.name: one for one in (libraries or read_manifest()[1])}

    def address(self, name: str) -> str | None:
        """Address of a library's file, or None when it is not installed."""
        library = self._libraries[name]
        if not (self.folder / library.folder / library.file_name).is_file():
            return None
        return f"/vendor/{library.folder}/{library.file_name}"

    def missing(self) -> list[Library]:
        """Libraries that are not installed."""
        return [one for one in self._libraries.values() if self.address(one.name) is None]


def install(
    folder: Path,
    libraries: Sequence[Library],
    fetch: Callable[[Library], bytes],
    tell: Callable[[str], None] = lambda _text: None,
) -> None:
    """Install what is not there yet. Safe to run again, and to kill.

    Raises
    ------
    VendorError
        If an archive is not the one the manifest names, or the folder cannot be written.
    VendorAwayError
        If an archive cannot be fetched.
    """
    for library in libraries:
        if (folder / library.folder / library.file_name).is_file():
            tell(f"{library.name} {library.version} is installed")
            continue
        archive = fetch(library)
        check(library, archive)
        try:
            _unpack(library, archive, folder)
        except OSError as error:
            raise VendorError(
                f"{folder} cannot be written: {error.strerror or error}. Name another folder with PAWS_VENDOR_DIR."
            ) from error
        tell(f"{library.name} {library.version} installed ({library.licence})")


def check(library: Library, archive: bytes) -> None:
    """Compare an archive with the manifest.

    Raises
    ------
    VendorError
        If it differs.
    """
    kind, _, expected = library.integrity.partition("-")
    found = base64.b64encode(hashlib.new(kind, archive).digest()).decode()
    if found != expected:
        raise VendorError(
            f"The archive of {library.package} {library.version} is not the one the manifest names "
            f"({kind}-{found[:12]}…); it is not installed. Fetch it again, from the registry itself."
        )


def _unpack(library: Library, archive: bytes, folder: Path) -> None:
    """Put the one file and its licence into place, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{library.folder}-", dir=folder))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            wanted = {f"package/{library.file}": library.file_name} | {
                f"package/{name}": name for name in _TEXTS
            }
            # Members are read one by one under names of ours: an archive cannot write elsewhere.
            for member in members:
                name = wanted.get(member.name)
                source = members.extractfile(member) if name and member.isfile() else None
                if name and source is not None:
                    (work / name).write_bytes(source.read(_LARGEST))
        if not (work / library.file_name).is_file():
            raise VendorError(
                f"The archive of {library.package} holds no {library.file}; correct the manifest."
            )
        work.chmod(0o755)
        shutil.rmtree(folder / library.folder, ignore_errors=True)
        os.replace(work, folder / library.folder)  # noqa: PTH105 - the same on both kinds of path
    finally:
        shutil.rmtree(work, ignore_errors=True)


def from_registry(registry: str) -> Callable[[Library], bytes]:
    """Fetches archives from a registry of npm."""

    def fetch(library: Library) -> bytes:
        url = f"{registry}/{library.package}/-/{library.archive}"
        try:
            with httpx.stream("GET", url, timeout=_DEADLINE, follow_redirects=True) as answer:
                answer.raise_for_status()
                found = bytearray()
                for part in answer.iter_bytes():
                    found += part
                    if len(found) > _LARGEST:
                        raise VendorError(f"{url} is larger than {_LARGEST} bytes; it is not installed.")
                return bytes(found)
        except httpx.HTTPError as error:
            raise VendorAwayError(
                f"{url} cannot be fetched: {error!r}. Without a network, put "
                f"{library.archive} into a folder and run `paws vendor --from FOLDER`."
            ) from error

    return fetch


def from_folder(source: Path) -> Callable[[Library], bytes]:
    """Takes archives from a folder, for machines without a network."""

    def fetch(library: Library) -> bytes:
        try:
            return (source / library.archive).read_bytes()
        except OSError as error:
            raise VendorError(
                f"{source / library.archive} cannot be read: {error.strerror or error}."
            ) from error

    return fetch
