"""Libraries of others for the pages: brought by npm at install time, never kept with our sources.

One manifest (`vendor.json`) names each with its version and the checksum of its archive. An archive that differs is
refused. Pages ask `Vendor.address` and say so where a library is not installed; each works without.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from paws.errors import PermanentError, RetriableError
from paws.settings import Settings

MANIFEST: Final = Path(__file__).with_name("vendor.json")
_DEADLINE: Final = 60.0
_LARGEST: Final = 30_000_000
PATIENCE: Final = 120.0
"""How long another installation into the same folder is waited for [s]: it only unpacks."""
_TEXTS: Final = ("LICENSE", "LICENCE", "COPYING", "COPYING.LESSER", "NOTICE")


class VendorError(PermanentError):
    """A library cannot be installed. The message says what to do."""

    code = "vendor"


class VendorAwayError(RetriableError):
    """An archive cannot be fetched."""

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


def read_manifest(path: Path = MANIFEST) -> tuple[Library, ...]:
    """Libraries of a manifest."""
    return tuple(Library(**item) for item in json.loads(path.read_text("utf-8")))


def vendor_dir(settings: Settings) -> Path:
    """Where libraries are installed: beside the interpreter's other files unless the settings name a folder."""
    return settings.vendor_dir or Path(sys.prefix) / "share" / "paws-live" / "vendor"


class Vendor:
    """What is installed, for the pages. Looked up at each question: an installation needs no restart."""

    def __init__(self, folder: Path, libraries: Sequence[Library] | None = None) -> None:
        self.folder = folder
        self._libraries = {one.name: one for one in (libraries or read_manifest())}

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
    """Install what is not there yet. Safe to run again, by several at once, and to kill.

    Raises
    ------
    VendorError
        If an archive is not the one the manifest names, or the folder cannot be written.
    VendorAwayError
        If an archive cannot be fetched.
    """
    for library in libraries:
        if _is_there(library, folder):
            tell(f"{library.name} {library.version} is installed")
            continue
        archive = fetch(library)
        check(library, archive)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                # Another may have been quicker, and its pages use it already.
                if not _is_there(library, folder):
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
            f"({kind}-{found[:12]}…); it is not installed. Fetch it again, from npm's own registry."
        )


def _is_there(library: Library, folder: Path) -> bool:
    return (folder / library.folder / library.file_name).is_file()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from writing into a folder; the kernel gives the lock back, however its holder ends.

    Raises
    ------
    VendorError
        If somebody else holds it for `PATIENCE`.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise VendorError(
                        f"another process has been installing into {folder} for more than {PATIENCE:.0f} s. "
                        "End it, or name another folder with PAWS_VENDOR_DIR."
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _unpack(library: Library, archive: bytes, folder: Path) -> None:
    """Put the one file and its licence into place, whole or not at all."""
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
        work.replace(folder / library.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def from_npm(library: Library) -> bytes:
    """Let npm fetch an archive, from the registry and through the proxy that it is set up with here.

    Raises
    ------
    VendorAwayError
        If there is no npm, or it cannot fetch the archive.
    """
    npm = shutil.which("npm")
    instead = f"Or put {library.archive} into a folder and run `paws vendor --from FOLDER`."
    if npm is None:
        raise VendorAwayError(
            f"{library.package} cannot be fetched: npm is not installed. Install Node.js. {instead}"
        )
    with tempfile.TemporaryDirectory(prefix="paws-vendor-") as folder:
        # Packing runs nothing of the package's own: scripts are for those who build it.
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", folder]
        try:
            done = subprocess.run(
                [*command, f"{library.package}@{library.version}"],
                capture_output=True, text=True, errors="replace", timeout=_DEADLINE, check=False, cwd=folder,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise VendorAwayError(
                f"{library.package} cannot be fetched by npm: {error}. {instead}"
            ) from error
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            said = done.stderr.strip()[-300:] or f"exit status {done.returncode}"
            raise VendorAwayError(f"{library.package} cannot be fetched by npm: {said}. {instead}")
        if archives[0].stat().st_size > _LARGEST:
            raise VendorError(f"{library.archive} is larger than {_LARGEST} bytes; it is not installed.")
        return archives[0].read_bytes()


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
