"""Build an engine's image where no image registry can be reached.

``python infra/images/build.py quicklook --tag paws-quicklook`` makes a base image from Debian packages
(mmdebstrap), takes the libraries that quicklook needs from the Python that runs this, and builds the image's
ordinary Dockerfile upon both. ``2dfdr --distribution FILE`` does the same for 2dFdr. Where a registry can be
reached, `docker build` alone does; see docs/how-to/docker.md.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "infra" / "images"

BASE = "paws-engine-base"
SUITE = "bookworm"
PACKAGES = ("tini", "xvfb", "python3")

# Drivers for three-dimensional graphics are most of what a virtual display brings, and nothing draws with them.
UNWANTED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/lib/*/dri/*",
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libz3.so*",
)

SOURCE = "org.paws-live.source"
"""Label of an image: digest of our sources in it."""

Fill = Callable[[tarfile.TarFile], None]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("image", choices=["quicklook", "2dfdr"])
    parser.add_argument("--tag", help="name of the image; paws-quicklook or 2dfdr when left out")
    parser.add_argument("--distribution", type=Path, help="tar file of 2dFdr")
    parser.add_argument("--packages", default="", help="further Debian packages, separated by spaces")
    parser.add_argument("--invalid-status", default="", help="exit statuses of 2dFdr that mean a bad input")
    parser.add_argument("--mirror", default="", help="Debian mirror; that of this machine when left out")
    parser.add_argument(
        "--check", action="store_true", help="build nothing; end with status 1 if the image is missing or old"
    )
    parser.add_argument("--renew-base", action="store_true", help=f"make {BASE} again even if there is one")
    options = parser.parse_args()
    client: Any = docker.from_env(timeout=600)
    if options.check:
        sys.exit(0 if is_new(client, options.tag or "paws-quicklook") else 1)
    packages = sorted({*PACKAGES, *options.packages.split()})
    base = make_base(client, packages, options.mirror, renew=options.renew_base)
    if options.image == "quicklook":
        build(
            client, options.tag or "paws-quicklook", "infra/images/quicklook/Dockerfile", quicklook, BASE=base
        )
        return
    if options.distribution is None or not options.distribution.is_file():
        parser.error("name the tar file of 2dFdr with --distribution")
    build(
        client,
        options.tag or "2dfdr",
        "2dfdr/Dockerfile",
        lambda tar: two_degree_field(tar, options.distribution),
        BASE=base,
        PACKAGES=" ".join(packages),
        DISTRIBUTION=f"2dfdr/{options.distribution.name}",
        INVALID_STATUS=options.invalid_status,
    )


def is_new(client: Any, tag: str) -> bool:
    """Whether an image was built from the sources as they are now."""
    return any(
        image.labels.get(SOURCE) == source_digest()
        for image in client.images.list(tag)
        if f"{tag}:latest" in image.tags
    )


def source_digest() -> str:
    """Digest of everything of ours that goes into the image ``quicklook``."""
    digest = hashlib.sha256()
    for folder in (IMAGES / "engine", IMAGES / "quicklook", ROOT / "quicklook"):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(ROOT).as_posix()
            if "__pycache__" not in name and "/prepared/" not in name:
                digest.update(f"{name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def make_base(client: Any, packages: list[str], mirror: str, *, renew: bool) -> str:
    """Base image with Debian packages; its name. Made once."""
    name = f"{BASE}:{'-'.join(packages)}"[:120]
    if not renew and any(name in image.tags for image in client.images.list()):
        print(f"{name} is there")
        return name
    if shutil.which("mmdebstrap") is None:
        sys.exit("mmdebstrap is missing. Install it: apt-get install mmdebstrap")
    print(f"making {name}", flush=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED]
    command += ['--aptopt=Apt::Install-Recommends "false"', SUITE, "-", *([mirror] if mirror else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as made:
        assert made.stdout is not None
        # Straight into the daemon: hundreds of megabytes need not lie on a disk in between.
        client.api.import_image_from_data(_chunks(made.stdout), repository=BASE, tag=name.partition(":")[2])
    if made.returncode != 0:
        client.images.remove(name, force=True)
        sys.exit(f"mmdebstrap failed with status {made.returncode}")
    return name


def build(client: Any, tag: str, dockerfile: str, fill: Fill, **arguments: str) -> None:
    """Build an image from files that are put into its context one by one."""
    print(f"building {tag}", flush=True)
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
            fill(tar)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    with os.fdopen(reading, "rb") as context:
        answers = client.api.build(
            fileobj=context, custom_context=True, dockerfile=dockerfile, tag=tag, buildargs=arguments, rm=True,
            forcerm=True, network_mode="none", decode=True, labels={SOURCE: source_digest()},
        )  # fmt: skip
        for answer in answers:
            if "error" in answer:
                sys.exit(f"building {tag} failed: {answer['error'].strip()}")
            sys.stdout.write(answer.get("stream", ""))
    thread.join()


def quicklook(tar: tarfile.TarFile) -> None:
    """Context of the image ``quicklook``: what the Dockerfile copies, and the libraries."""
    for folder in ("infra/images/engine", "infra/images/quicklook", "quicklook"):
        _add(tar, ROOT / folder, folder)
    for distribution in needed(IMAGES / "quicklook" / "requirements.txt"):
        for file in distribution.files or ():
            # Their tests are a quarter of the libraries.
            if ".." in file.parts or "__pycache__" in file.parts or _is_test(file.as_posix()):
                continue
            name = f"infra/images/quicklook/prepared/{file.as_posix()}"
            tar.add(str(file.locate()), name, recursive=False, filter=_readable)


def two_degree_field(tar: tarfile.TarFile, distribution: Path) -> None:
    """Context of the image ``2dfdr``."""
    for folder in ("engine", "2dfdr"):
        _add(tar, IMAGES / folder, folder)
    tar.add(distribution, f"2dfdr/{distribution.name}")


def needed(requirements: Path) -> list[importlib.metadata.Distribution]:
    """Installed distributions that a file of requirements names, and those that these need."""
    names = [line for line in requirements.read_text().splitlines() if line and not line.startswith("#")]
    found: dict[str, importlib.metadata.Distribution] = {}
    while names:
        requirement = names.pop()
        if "extra ==" in requirement or "; python_version <" in requirement:
            continue
        matched = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert matched is not None
        name = re.sub(r"[-_.]+", "-", matched[0]).lower()
        if name not in found:
            found[name] = importlib.metadata.distribution(name)
            names += found[name].requires or []
    return list(found.values())


def _is_test(path: str) -> bool:
    # astropy's are part of what it loads.
    return "/tests/" in path and not path.startswith("astropy")


def _add(tar: tarfile.TarFile, folder: Path, name: str) -> None:
    def only_sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        unwanted = "__pycache__" in member.name or ".tar" in member.name or "/prepared" in member.name
        return None if unwanted else _readable(member)

    tar.add(folder, name, filter=only_sources)


def _readable(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whatever the umask of this machine says, the user in the container must read it."""
    member.mode |= 0o555 if member.isdir() or member.mode & 0o100 else 0o444
    member.uid = member.gid = 0
    return member


def _chunks(stream: io.BufferedIOBase | Any) -> Iterator[bytes]:
    while chunk := stream.read(1 << 20):
        yield chunk


if __name__ == "__main__":
    main()
