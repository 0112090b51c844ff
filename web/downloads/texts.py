"""Texts that go with a download: sums, what is missing, what it is, and the script that fetches it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib import resources
from typing import Final

from web.downloads.members import B3SUMS, MISSING, SHA256SUMS, Download, FileKind, Member, Missing

_SCRIPT: Final = "download.sh"


def sha256sums(members: Sequence[Member]) -> str:
    """Sums as ``sha256sum -c`` reads them."""
    return "".join(f"{member.digest.sha256}  {member.name}\n" for member in members)


def b3sums(members: Sequence[Member]) -> str:
    """Sums as ``b3sum -c`` reads them."""
    return "".join(f"{member.digest.blake3}  {member.name}\n" for member in members)


def missing_text(missing: Sequence[Missing]) -> str:
    """What lacks, and why."""
    lines = "".join(f"{item.name}: {item.reason}\n" for item in missing)
    return f"These files belong here and are not in this download:\n\n{lines}"


def readme(words: str, members: Sequence[Member], lacks: bool) -> str:
    """What a download is and how it is checked."""
    total = sum(member.size for member in members)
    text = (
        f"{words[:1].upper()}{words[1:]}, from PAWS Live: {len(members)} files, {total} bytes.\n\n"
        f"To check them, here in this folder:  sha256sum -c {SHA256SUMS}   (or: b3sum -c {B3SUMS})\n\n"
        "  *red.fits    spectra: PRIMARY (fibres x samples), VARIANCE, FIBRES, and SKY where it was subtracted\n"
        "  *.pdf        the spectra of the product of the same name, on paper\n"
        "  *.log        what the reduction said, command by command\n"
        "  raw/         raw frames as the instrument wrote them, where they were asked for\n\n"
        "Wavelengths are in Angstrom in air. Products are a first look unless they say otherwise: the header has their\n"
        "calibrations, parameters and engine (HISTORY and the cards PAWS...).\n"
    )
    return f"{text}\n{MISSING} names what could not be included.\n" if lacks else text


def script(download: Download, base: str | None, query: str) -> str:
    """A script for POSIX shells that fetches a download file by file.

    Parameters
    ----------
    base
        Address of this server, without a slash at its end; None when it is not known: then whoever runs the script
        has to say it.
    query
        The question, as in an address.
    """
    template = resources.files("web.downloads").joinpath(_SCRIPT).read_text("utf-8")
    members = [member for member in download.members if member.kind is not FileKind.TEXT]
    files = "".join(f"{member.digest.sha256} {member.size} {member.name}\n" for member in members)
    values = {
        "@BASE@": f":-{shlex.quote(base)}" if base else ":?Set PAWS_URL to the address of the server",
        "@QUERY@": shlex.quote(query),
        "@FOLDER@": shlex.quote(download.folder),
        "@COUNT@": str(len(members)),
        "@BYTES@": str(sum(member.size for member in members)),
        "@FILES@": files,
    }
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template
