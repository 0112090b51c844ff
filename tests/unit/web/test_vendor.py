from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from click.testing import CliRunner

from web import vendor
from web.vendor import (
    Library,
    Vendor,
    VendorAwayError,
    VendorError,
    from_folder,
    from_npm,
    install,
    read_manifest,
)


def archive_of(files: dict[str, bytes], link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as members:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            members.addfile(item, io.BytesIO(content))
        if link:
            item = tarfile.TarInfo("package/dist/lib.js")
            item.type, item.linkname = tarfile.SYMTYPE, link
            members.addfile(item)
    return out.getvalue()


GOOD = archive_of({"package/dist/lib.js": b"good()", "package/LICENSE": b"MIT", "../../evil.js": b"evil()"})


def library_of(archive: bytes) -> Library:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    return Library("lib", "@scope/lib", "1.2.3", integrity, "MIT", "dist/lib.js", "everything")


def test_library_is_installed_once_and_nothing_else(tmp_path: Path) -> None:
    library, folder = library_of(GOOD), tmp_path / "vendor"
    told: list[str] = []
    desk = Vendor(folder, [library])
    assert desk.address("lib") is None
    assert desk.missing() == [library]
    install(folder, [library], lambda _one: GOOD, told.append)
    assert desk.address("lib") == "/vendor/lib-1.2.3/lib.js"
    assert desk.missing() == []
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["vendor/lib-1.2.3/LICENSE", "vendor/lib-1.2.3/lib.js"]

    def never(_one: Library) -> bytes:
        raise AssertionError("it is installed")

    install(folder, [library], never, told.append)
    assert told == ["lib 1.2.3 installed (MIT)", "lib 1.2.3 is installed"]


def test_whoever_is_second_leaves_what_the_first_installed(tmp_path: Path) -> None:
    """Its pages use it already: it is not taken away for a moment."""
    library = library_of(GOOD)
    installed, first = tmp_path / library.folder, []

    def fetch(_one: Library) -> bytes:
        # While this one fetches, another installs.
        install(tmp_path, [library], lambda _one: GOOD)
        first.append(installed.stat().st_ino)
        return GOOD

    install(tmp_path, [library], fetch)
    assert [installed.stat().st_ino] == first
    with ThreadPoolExecutor(8) as pool:
        folder, start = tmp_path / "many", Barrier(8)

        def wait_and_give(_one: Library) -> bytes:
            start.wait(60)
            return GOOD

        for done in [pool.submit(install, folder, [library], wait_and_give) for _ in range(8)]:
            done.result()
    assert [path.name for path in folder.iterdir()] == [library.folder]


def test_who_holds_the_folder_for_ever_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "PATIENCE", 0.1)
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        with pytest.raises(VendorError, match="another process has been installing"):
            install(tmp_path, [library_of(GOOD)], lambda _one: GOOD)
    finally:
        os.close(holder)
    install(tmp_path, [library_of(GOOD)], lambda _one: GOOD)
    assert (tmp_path / "lib-1.2.3" / "lib.js").is_file()


@pytest.mark.parametrize(
    "archive",
    [archive_of({"package/dist/lib.js": b"evil()"}), GOOD + b"x", b"", b"no archive"],
    # Archives hold the time at which they were made: left to the bytes, names would differ between processes.
    ids=["other content", "something behind", "nothing", "no archive"],
)
def test_other_archives_are_refused(tmp_path: Path, archive: bytes) -> None:
    with pytest.raises(VendorError, match="not the one"):
        install(tmp_path, [library_of(GOOD)], lambda _one: archive)
    assert list(tmp_path.rglob("*.js")) == []


@pytest.mark.parametrize(
    "archive",
    [archive_of({"package/other.js": b""}), archive_of({}, link="/etc/passwd")],
    ids=["another file", "a link"],
)
def test_archive_without_the_file_leaves_nothing(tmp_path: Path, archive: bytes) -> None:
    with pytest.raises(VendorError, match="holds no"):
        install(tmp_path, [library_of(archive)], lambda _one: archive)
    assert list(tmp_path.iterdir()) == []


def test_folder_serves_machines_without_a_network(tmp_path: Path) -> None:
    library = library_of(GOOD)
    with pytest.raises(VendorError, match=r"lib-1\.2\.3\.tgz"):
        install(tmp_path / "vendor", [library], from_folder(tmp_path))
    (tmp_path / "lib-1.2.3.tgz").write_bytes(GOOD)
    install(tmp_path / "vendor", [library], from_folder(tmp_path))
    assert (tmp_path / "vendor" / "lib-1.2.3" / "lib.js").read_bytes() == b"good()"


def put_npm(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An npm of ours, the only program there is."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_npm_fetches_what_the_manifest_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.tgz").write_bytes(GOOD)
    # Its last argument is the package with its version; the one before it, the folder to write to.
    put_npm(
        tmp_path / "bin", monkeypatch,
        f'test "$6" = "@scope/lib@1.2.3" && cp "{tmp_path / "good.tgz"}" "$5/scope-lib-1.2.3.tgz"',
    )  # fmt: skip
    assert from_npm(library_of(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo no such package >&2; exit 1", "no such package"), ("exit 0", "exit status 0")],
)
def test_npm_that_brings_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    put_npm(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(VendorAwayError, match=reason):
        from_npm(library_of(GOOD))


def test_without_npm_a_folder_is_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VendorAwayError, match=r"npm is not installed.*--from FOLDER"):
        from_npm(library_of(GOOD))


def test_manifest_pins_what_it_names() -> None:
    libraries = read_manifest()
    assert {one.name for one in libraries} == {"plotly", "aladin"}
    assert all(one.integrity.startswith("sha512-") and len(one.integrity) == 95 for one in libraries)
    assert len({replace(one, name="").folder for one in libraries}) == len(libraries)


def test_command_goes_on_without_a_network_when_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.vendor_command import vendor as command

    def away(_library: Library) -> bytes:
        raise VendorAwayError("no network here.")

    monkeypatch.setattr(vendor, "from_npm", away)
    monkeypatch.setenv("PAWS_VENDOR_DIR", str(tmp_path))
    done = CliRunner().invoke(command, ["--optional"])
    assert done.exit_code == 0
    assert "Pages work without" in done.output
    assert isinstance(CliRunner().invoke(command, []).exception, VendorAwayError)
    listed = CliRunner().invoke(command, ["--list"])
    assert listed.output.count("missing") == 2
