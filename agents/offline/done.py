"""What earlier runs made: one line of JSON a reduction, believed only while the products lie there.

The header of a product names the reduction that made it (PAWSJOB), so a folder that was copied, or in which
a product was replaced or deleted, is understood.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from agents.offline.agenda import Ending
from agents.reducer.runner.prepare import InputProduct
from schemas.frames import Checksum, Model, Night
from schemas.reductions import ProductInput
from schemas.vocabulary import ProductKind, ReductionKind

_JOB_CARD = re.compile(rb"PAWSJOB = '([0-9a-f]{64})'")
_LONGEST_HEADER = 1 << 18


class DoneProduct(Model):
    """A product that lies in the tree.

    `path` is relative to the folder of products; `made_name` is the name that the engine gave the file.
    """

    kind: ProductKind
    path: str
    made_name: str
    checksum: Checksum
    size_bytes: int


class Done(Model):
    """A reduction that succeeded.

    `beside` are the intermediate frames that lie beside its products; None if they were not kept.
    """

    job_key: Checksum
    night: Night
    slot: str
    kind: ReductionKind
    products: tuple[DoneProduct, ...]
    beside: tuple[str, ...] | None = None

    @property
    def ending(self) -> Ending:
        """The same, for the agenda."""
        return Ending(self.night, self.job_key, self.slot, self.kind)


class DoneList:
    """The list of what is done in a folder of products.

    Parameters
    ----------
    path
        File of the list.
    out
        Folder of products.
    """

    def __init__(self, path: Path, out: Path) -> None:
        self._path = path
        self._out = out
        self._done: dict[str, Done] = {}

    @classmethod
    def read(cls, path: Path, out: Path, *, with_intermediate: bool) -> Self:
        """Read the list, drop what does not lie there any more, and write it anew.

        Parameters
        ----------
        with_intermediate
            Whether what was made without keeping its intermediate frames counts as not made.
        """
        found = cls(path, out)
        for done in _parse(path):
            if _lies_there(done, out, with_intermediate=with_intermediate):
                found._done[done.job_key] = done
        found._rewrite()
        return found

    @property
    def endings(self) -> list[Ending]:
        """What is done, for the agenda."""
        return [done.ending for done in self._done.values()]

    def add(self, done: Done) -> None:
        """Note that a reduction is done, after its products have their names."""
        self._done[done.job_key] = done
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(done.model_dump_json() + "\n")

    def find(self, wanted: Iterable[ProductInput]) -> list[InputProduct]:
        """Products that a reduction reads, as far as they are there."""
        found = []
        for item in wanted:
            done = self._done.get(item.job_key)
            for product in done.products if done is not None else ():
                if product.kind is item.kind:
                    found.append(
                        InputProduct(
                            product=item,
                            stored_path=product.path,
                            checksum=product.checksum,
                            size_bytes=product.size_bytes,
                            level=None,
                            provisional=False,
                            made_name=product.made_name,
                        )
                    )
        return found

    def count_products(self, job_keys: Iterable[str]) -> int:
        """Number of product files of some reductions."""
        return sum(len(self._done[key].products) for key in job_keys if key in self._done)

    def _rewrite(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.new")
        temporary.write_text("".join(f"{done.model_dump_json()}\n" for done in self._done.values()))
        temporary.replace(self._path)


def _parse(path: Path) -> Sequence[Done]:
    found: list[Done] = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_bytes().splitlines():
            # The last line is torn when the run was killed; its reduction is done again.
            with contextlib.suppress(ValidationError):
                found.append(Done.model_validate_json(line))
    return found


def read_done(path: Path, out: Path) -> list[Done]:
    """What is done and still lies there, without changing the list; for those who only look."""
    done = {item.job_key: item for item in _parse(path)}
    return [item for item in done.values() if _lies_there(item, out, with_intermediate=False)]


def _lies_there(done: Done, out: Path, *, with_intermediate: bool) -> bool:
    if with_intermediate and (done.beside is None or not all((out / name).is_file() for name in done.beside)):
        return False
    return all(is_product(out / item.path, done.job_key, item.size_bytes) for item in done.products)


def is_product(path: Path, job_key: str, size_bytes: int) -> bool:
    """Whether a file is the product of a reduction, by its size and its header."""
    try:
        if path.stat().st_size != size_bytes:
            return False
        with path.open("rb") as stream:
            card = _JOB_CARD.search(stream.read(min(_LONGEST_HEADER, size_bytes)))
    except OSError:
        return False
    return card is not None and card.group(1).decode() == job_key
