"""The products of a night, by what they are and what they hold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from blake3 import blake3

from paws.chaos.running import SystemUnderTest


@dataclass(frozen=True, order=True)
class Product:
    """A final product. Equal ones are the same work with the same result, whenever and however it was made.

    Attributes
    ----------
    content
        Digest of the values in all of its HDUs; headers tell times and attempts, which differ.
    """

    path: str
    kind: str
    slot: str
    job_key: str
    content: str


@dataclass(frozen=True)
class Shelf:
    """What a night left: its products, and everything about them that must not be.

    Attributes
    ----------
    products
        One for each row that is current; twice the same slot and kind is a duplicate.
    broken
        Products whose file is missing or is not what was registered.
    """

    products: tuple[Product, ...]
    broken: tuple[str, ...]


async def read_shelf(system: SystemUnderTest) -> Shelf:
    """Read every current product of a system.

    Raises
    ------
    AwayError
        If its database does not answer.
    """
    rows = await system.rows(
        "SELECT path, kind, slot, job_key, checksum, size_bytes, stored_path FROM product WHERE current ORDER BY path"
    )
    products: list[Product] = []
    broken: list[str] = []
    for row in rows:
        shown = system.settings.products_dir / row["path"]
        stored = system.data / row["stored_path"]
        problem, content = _look(shown, stored, row)
        if problem:
            broken.append(f"{row['path']}: {problem}")
        products.append(Product(row["path"], row["kind"], row["slot"], row["job_key"], content))
    return Shelf(tuple(products), tuple(broken))


def _look(shown: Path, stored: Path, row: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with a product's file (nothing: empty), and the digest of its content."""
    for path in (shown, stored):
        try:
            data = path.read_bytes()
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}", ""
        if len(data) != row["size_bytes"] or blake3(data).hexdigest() != row["checksum"]:
            return f"{path} is not what was registered", ""
    try:
        return "", content_of(shown)
    except (OSError, ValueError, TypeError, fits.VerifyError) as error:
        return f"{shown} is no FITS file: {error}", ""


def content_of(path: Path) -> str:
    """Digest of the values in all HDUs of a file."""
    digest = blake3()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            for hdu in hdus:
                digest.update(hdu.name.encode())
                if hdu.data is not None:
                    digest.update(str((hdu.data.dtype, hdu.data.shape)).encode())
                    digest.update(np.ascontiguousarray(hdu.data).tobytes())
    return digest.hexdigest()
