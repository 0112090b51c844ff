"""The archive as a shelf of the explorer: products with spectra of fibres, current versions first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from paws.access.predicate import seen
from paws.access.rule import Sight
from paws.database import Pool
from paws.errors import InvalidInputError
from paws.settings import Settings
from schemas.vocabulary import ProductKind
from web.explorer.questions import BrowseQuestion
from web.explorer.shelf import Opened, Shelved
from web.files import inside
from web.problems import NotFoundError
from web.storage.filters import Where, like
from web.storage.products import signal_to_noise

_COLUMNS: Final = (
    "product_id, path, kind, night, field, plate, grating, arm, run, version, current, provisional,"
    " (quality ->> 'signal_to_noise')::float8 AS signal_to_noise"
)
_SPECTRA: Final = [kind.value for kind in ProductKind if kind.has_spectra]
_MOST_WORDS: Final = 8
_BESIDE: Final = 60


class DatabaseShelf:
    """Products of the archive."""

    def __init__(self, settings: Settings, pool: Callable[[], Pool]) -> None:
        self._settings = settings
        self._pool = pool

    @property
    def name(self) -> str:
        """What people call it."""
        return "archive"

    async def browse(self, ask: BrowseQuestion, sight: Sight) -> tuple[list[Shelved], int]:
        """Current products with spectra of targets: plate by plate, the newest night first."""
        where = Where()
        where.seen_by("product", sight)
        where.require("current")
        where.add("kind = ANY({}::text[])", _SPECTRA)
        for word in (ask.q or "").split()[:_MOST_WORDS]:
            where.add("path || ' ' || field || ' ' || night || ' ' || kind ILIKE {}", like(word))
        rows = await self._pool().fetch(
            # What fits on a page is the newest; only then it is put in the order of the tree.
            f"SELECT * FROM (SELECT {_COLUMNS}, count(*) OVER () AS total FROM product{where}"  # noqa: S608 - constants
            f" ORDER BY night DESC, product_id{where.page(ask.limit, 0)}) newest"
            " ORDER BY plate, split_part(path, '/', 2), split_part(path, '/', 3), night DESC, field, path",
            *where.values,
        )
        return [_shelved(row) for row in rows], int(rows[0]["total"]) if rows else 0

    async def open(self, product_id: str, sight: Sight) -> Opened:
        """A product of the archive, whatever its version.

        Raises
        ------
        NotFoundError
            If there is none, or it may not be seen.
        InvalidInputError
            If its file is empty.
        """
        allowed, values = seen("product", sight, [product_id])
        row = await self._pool().fetchrow(
            f"SELECT {_COLUMNS}, stored_path, checksum, size_bytes FROM product"  # noqa: S608 - constants
            f" WHERE product_id = $1 AND {allowed}",
            *values,
        )
        if row is None:
            raise NotFoundError("There is no such product.")
        if row["size_bytes"] < 1:
            raise InvalidInputError("This product is empty; reduce the frame again.")
        return Opened(_shelved(row), inside(self._settings, row["stored_path"]), str(row["checksum"])[:32])

    async def beside(self, product: Shelved, sight: Sight) -> list[Shelved]:
        """Current products of the same field, plate and night."""
        where = Where()
        where.seen_by("product", sight)
        where.require("current")
        where.add("kind = ANY({}::text[])", _SPECTRA)
        where.add("night = {}", product.night)
        where.add("field = {}", product.field)
        where.add(
            "plate IS NOT DISTINCT FROM {}::smallint", product.plate if product.plate is not None else -1
        )
        where.add("product_id <> {}", product.product_id)
        rows = await self._pool().fetch(
            f"SELECT {_COLUMNS} FROM product{where}"  # noqa: S608 - constants
            f" ORDER BY run NULLS LAST, arm NULLS LAST, kind, product_id{where.page(_BESIDE, 0)}",
            *where.values,
        )
        return [_shelved(row) for row in rows]

    async def ratios(self, product_id: str) -> dict[int, float]:
        """Signal to noise by fibre, as recorded with the product."""
        return await signal_to_noise(self._pool(), product_id)


def _shelved(row: Any) -> Shelved:
    kind = ProductKind(row["kind"])
    run = "" if row["run"] is None else f" {row['run']:04d}"
    arm = f" {row['arm']}" if row["arm"] else ""
    return Shelved(
        product_id=row["product_id"],
        path=row["path"],
        title=f"{kind.meaning}{run}{arm}",
        kind=kind.value,
        night=row["night"],
        field=row["field"],
        plate=row["plate"],
        grating=row["grating"],
        arm=row["arm"],
        run=row["run"],
        version=row["version"],
        current=row["current"],
        provisional=row["provisional"],
        signal_to_noise=row["signal_to_noise"],
        page=f"/products/{quote(row['product_id'], safe='')}",
    )
