"""Products as a tree: plate, grating, set-up, field; as their paths lie in the products folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from web.explorer.shelf import Shelved


@dataclass
class Branch:
    """A folder of the tree.

    Attributes
    ----------
    name
        For people.
    count
        Products below it.
    """

    name: str
    count: int = 0
    branches: dict[str, Branch] = field(default_factory=dict)
    products: list[Shelved] = field(default_factory=list)


def tree_of(products: Iterable[Shelved]) -> Branch:
    """Tree of products, in their order: the first branch holds the first product."""
    root = Branch("")
    for one in products:
        here = root
        here.count += 1
        for step in steps_of(one):
            here = here.branches.setdefault(step, Branch(step))
            here.count += 1
        here.products.append(one)
    return root


def steps_of(one: Shelved) -> list[str]:
    """Branches that lead to a product.

    Folders of the path, in words; spliced products, whose folder holds all fields of a plate, get a branch for
    their field.
    """
    folders = list(PurePosixPath(one.path).parts[:-1])
    steps = [_words(folder) for folder in folders]
    if folders and folders[-1] == "spliced":
        steps.append(" ".join(part for part in (one.night, one.field) if part))
    return steps


def _words(folder: str) -> str:
    if folder[:1] == "p" and folder[1:].isdigit():
        return f"plate {folder[1:]}"
    if folder[:1] == "s" and folder[1:].isdigit():
        return f"set-up {folder[1:]}"
    return folder
