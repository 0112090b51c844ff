"""Products in files that no archive knows, such as what 2dFdr wrote on somebody's disk. Nothing is registered."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from astropy.io import fits

from paws.access.rule import Sight
from paws.errors import InvalidInputError
from web.explorer.plate import read_plate
from web.explorer.questions import BrowseQuestion
from web.explorer.shelf import Opened, Shelved
from web.problems import NotFoundError
from web.spectra import layout_of

MOST_FILES: Final = 2000
_MOST_BESIDE: Final = 60
_SUFFIXES: Final = (".fits", ".fit", ".fts")
_ARMS: Final = {"BL": "blue", "RD": "red"}
_KINDS: Final = {"MFARC": "arc", "MFFFF": "fibre_flat", "MFSKY": "offset_sky", "MFFLX": "flux_standard"}
_SPAN: Final = 3300.0
"""Angstrom: no arm of AAOmega alone covers more, at any grating."""


@dataclass(frozen=True)
class Refused:
    """A file that cannot be explored, and why."""

    file: Path
    reason: str


class FileShelf:
    """Files that were named when the explorer started. Only these can be asked for, by identifiers of ours.

    Parameters
    ----------
    files
        Products; see `gather`.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        resolved = [path.resolve() for path in files]
        root = Path(os.path.commonpath([str(path.parent) for path in resolved])) if resolved else Path("/")
        self._files: dict[str, Path] = {}
        self._products: dict[str, Shelved] = {}
        for path in resolved:
            one = describe(path, path.relative_to(root).as_posix())
            self._files[one.product_id] = path
            self._products[one.product_id] = one

    @property
    def name(self) -> str:
        """What people call it."""
        return "files"

    @property
    def products(self) -> list[Shelved]:
        """All of them, by path."""
        return sorted(self._products.values(), key=lambda one: one.path)

    async def browse(self, ask: BrowseQuestion, sight: Sight) -> tuple[list[Shelved], int]:
        """Files whose path, field and night contain the words of a question."""
        words = (ask.q or "").lower().split()
        found = [
            one
            for one in self.products
            if all(word in f"{one.path} {one.field} {one.night} {one.kind}".lower() for word in words)
        ]
        return found[: ask.limit], len(found)

    async def open(self, product_id: str, sight: Sight) -> Opened:
        """A file.

        Raises
        ------
        NotFoundError
            If no file of this identifier was named.
        InvalidInputError
            If it has been removed.
        """
        path = self._files.get(product_id)
        if path is None:
            raise NotFoundError("There is no such product.")
        try:
            status = path.stat()
        except OSError as error:
            raise InvalidInputError(f"The file {path.name} is gone; start the explorer again.") from error
        return Opened(self._products[product_id], path, f"{status.st_mtime_ns:x}-{status.st_size:x}")

    async def beside(self, product: Shelved, sight: Sight) -> list[Shelved]:
        """Other files of the same field, and of the same night where both tell theirs."""
        others = [
            one
            for one in self.products
            if one.product_id != product.product_id
            and one.field == product.field
            and (not one.night or not product.night or one.night == product.night)
        ]
        return others[:_MOST_BESIDE]

    async def ratios(self, product_id: str) -> dict[int, float]:
        """Nothing is recorded of files; what is shown is measured."""
        return {}


def gather(paths: Iterable[Path]) -> tuple[list[Path], list[Refused]]:
    """Products among files and in folders, and what cannot be explored.

    A file that was named is always told of when it is refused. In folders, FITS files are looked at and only
    those that hold spectra of fibres are taken.

    Raises
    ------
    InvalidInputError
        If there are more files than can be looked at in reason.
    """
    named = [path for path in paths if not path.is_dir()]
    inside = sorted(
        found
        for folder in paths
        if folder.is_dir()
        for found in folder.rglob("*")
        if found.suffix.lower() in _SUFFIXES and found.is_file()
    )
    if len(named) + len(inside) > MOST_FILES:
        raise InvalidInputError(
            f"There are {len(named) + len(inside)} FITS files; name folders with at most {MOST_FILES}."
        )
    taken: dict[Path, None] = {}
    refused = []
    for path in [*named, *inside]:
        try:
            layout_of(path)
            taken[path.resolve()] = None
        except InvalidInputError as error:
            refused.append(Refused(path, error.message))
    return list(taken), refused


def describe(path: Path, where: str) -> Shelved:
    """What a product's header says of it.

    Raises
    ------
    InvalidInputError
        If the file cannot be read.
    """
    layout = layout_of(path)
    with warnings.catch_warnings(action="ignore"):
        header = fits.getheader(path, 0)
    history = " ".join(str(line) for line in header.get("HISTORY", []))
    spliced = "Splicing" in history or abs(layout.step or 0.0) * layout.data.columns > _SPAN
    combined = "Combin" in history or "combined" in path.name
    plain = "tlm" if path.stem.endswith("tlm") else _KINDS.get(_word(header, "NDFCLASS"), "object")
    joined = [word for word, holds in (("spliced", spliced), ("combined", combined)) if holds]
    kind = "_".join(joined) or plain
    arm = None if spliced else _ARMS.get(_word(header, "SPECTID"))
    run = re.search(r"(?:OBJ|ARC|FLAT|SKY|[0-9]{2}[a-z]{3}[1-4])([0-9]{4})", path.name)
    plate = re.search(r"([01])\s*$", _word(header, "SOURCE"))
    label = read_plate(path).label or _word(header, "OBJECT")
    return Shelved(
        product_id=f"{hashlib.blake2b(str(path).encode('utf-8', 'surrogateescape'), digest_size=6).hexdigest()}-"
        + (re.sub(r"[^A-Za-z0-9.+-]+", "_", path.stem)[:60].strip("._-") or "file"),
        path=where.encode("utf-8", "replace").decode(),
        title=" ".join(
            word for word in (kind.replace("_", " "), run.group(1) if run else "", arm or "") if word
        ),
        kind=kind,
        night=re.sub(r"[^0-9]", "", _word(header, "UTDATE"))[:8],
        field=label[:60],
        plate=int(plate.group(1)) if plate else None,
        grating=_word(header, "GRATID")[:20],
        arm=arm,
        run=int(run.group(1)) if run else None,
    )


def _word(header: Any, name: str) -> str:
    value = header.get(name)
    return (
        "".join(char for char in str(value).strip() if char.isprintable()) if isinstance(value, str) else ""
    )
