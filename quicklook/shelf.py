"""Calibrations that a process keeps between its commands: a night's frames share a few of them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from quicklook.products import Product, read_product

ROOM = 250_000_000
"""Most that is kept [byte]: the calibrations of both arms. What was used longest ago makes room."""

RIPE = 1.0
"""A file changed more recently may change again without its times telling, and is not kept [s]."""

Key = tuple[str, int, int, int, int, int, frozenset[str] | None]


class Shelf:
    """Products as they were read, by name and by what tells that a file is still the one that was read.

    Parameters
    ----------
    room : int
        Most that is kept [byte].
    """

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self._kept: OrderedDict[Key, Product] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, only: Collection[str] | None = None) -> Product:
        """As `quicklook.products.read_product`, from memory where the file is unchanged since it was last read.

        The arrays and the header belong to all who ask: they are to be read, not written. Nothing hinders it: arrays
        that cannot be written are another type to compiled code, which would be compiled for them again.
        """
        key = _key(path, only)
        with self._lock:
            product = self._kept.get(key) if key else None
            if key and product:
                self._kept.move_to_end(key)
        if product is None:
            product = read_product(path, only=only)
            if key and key == _key(path, only) and time.time() - key[4] * 1e-9 > RIPE:
                self._keep(key, product)
        return replace(product, path=path, extras=dict(product.extras))

    def _keep(self, key: Key, product: Product) -> None:
        with self._lock:
            # An older state of the same file will not be asked for again.
            for other in [k for k in self._kept if (k[0], k[-1]) == (key[0], key[-1])]:
                del self._kept[other]
            self._kept[key] = product
            while self._kept and sum(map(_size, self._kept.values())) > self.room:
                self._kept.popitem(last=False)


def _key(path: Path, only: Collection[str] | None) -> Key | None:
    """What must be the same for a file to be the same; None where there is none, which reading it will tell."""
    try:
        found = path.stat()
    except OSError:
        return None
    parts = None if only is None else frozenset(only)
    times = found.st_ctime_ns, found.st_mtime_ns
    return str(path.absolute()), found.st_dev, found.st_ino, found.st_size, max(times), min(times), parts


def _size(product: Product) -> int:
    """Bytes that a product's arrays hold."""
    images = [product.data, product.variance, *product.extras.values()]
    return sum(
        each.nbytes if isinstance(each, np.ndarray) else each.size
        for each in images
        if isinstance(each, np.ndarray | fits.BinTableHDU)
    )


SHELF = Shelf()
"""The one of this process."""
