"""Where products come from: the archive, or files on a disk. The explorer knows no difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from paws.access.rule import Sight
from web.explorer.questions import BrowseQuestion


@dataclass(frozen=True)
class Shelved:
    """A product that can be explored.

    Attributes
    ----------
    path
        Where it stands in the tree.
    title
        In a list beside others of its field.
    page
        Address of its own page; None for a file that is in no archive.
    """

    product_id: str
    path: str
    title: str
    kind: str = ""
    night: str = ""
    field: str = ""
    plate: int | None = None
    grating: str = ""
    arm: str | None = None
    run: int | None = None
    version: int = 1
    current: bool = True
    provisional: bool = False
    signal_to_noise: float | None = None
    page: str | None = None

    @property
    def file_name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Opened:
    """A product's file.

    Attributes
    ----------
    tag
        Changes with the content.
    """

    product: Shelved
    file: Path
    tag: str


class Shelf(Protocol):
    """A source of products. Whoever asks is told nothing of what they may not see."""

    @property
    def name(self) -> str:
        """What people call it."""

    async def browse(self, ask: BrowseQuestion, sight: Sight) -> tuple[list[Shelved], int]:
        """Products that a question asks for, in the order of the tree, and how many there are in all."""

    async def open(self, product_id: str, sight: Sight) -> Opened:
        """A product.

        Raises
        ------
        NotFoundError
            If there is none, or it may not be seen.
        """

    async def beside(self, product: Shelved, sight: Sight) -> list[Shelved]:
        """Other products of the same field and night: arms, exposures, combined and spliced ones."""

    async def ratios(self, product_id: str) -> dict[int, float]:
        """Signal to noise by fibre, as far as it is recorded."""
