"""From what a command left in its work folder to checked products in their place. Knows no database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agents.reducer.check import check_product
from agents.reducer.commands import output_name
from agents.reducer.provenance import Making, document
from agents.reducer.runner.prepare import Prepared
from agents.reducer.runner.quality import read_quality
from agents.reducer.store import StoredFile
from paws.errors import InvalidInputError, PawsError
from schemas.layout import product_path
from schemas.vocabulary import ProductKind

Put = Callable[[Path, PurePosixPath], StoredFile]
"""Stores a checked file, given its place in the tree of products."""


@dataclass(frozen=True)
class NewProduct:
    """A stored product, ready to be registered."""

    kind: ProductKind
    path: PurePosixPath
    stored_path: PurePosixPath
    checksum: str
    size_bytes: int
    quality: dict[str, Any]
    provenance: dict[str, Any]


def keep(prepared: Prepared, making: Making, began: float, put: Put) -> list[NewProduct]:
    """Check what the command left and store it.

    Parameters
    ----------
    began
        Unix time at which the command started, at the earliest.

    Raises
    ------
    BadProductError
        If a product is not what it must be.
    InvalidInputError
        If a product has no place in the tree.
    """
    try:
        return [_keep_one(kind, prepared, making, began, put) for kind in making.reduction.products]
    except PawsError as error:
        error.context.setdefault("command", prepared.command)
        raise


def _keep_one(kind: ProductKind, prepared: Prepared, making: Making, began: float, put: Put) -> NewProduct:
    made = prepared.folder / output_name(making.reduction, kind, prepared.files)
    facts = check_product(made, kind, began)
    try:
        path = product_path(kind, making.reduction.layout)
    except ValueError as error:
        raise InvalidInputError(f"The product has no place: {error}.") from error
    stored = put(made, path)
    return NewProduct(
        kind=kind,
        path=path,
        stored_path=stored.path,
        checksum=stored.checksum,
        size_bytes=stored.size_bytes,
        quality={
            **read_quality(made),
            "shape": list(facts.shape),
            "finite_fraction": round(facts.finite_fraction, 4),
        },
        provenance=document(making),
    )
