"""The only database I/O of tap_ingest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

from agents.tap_ingest.service import Exposure, SpectrumRow
from paws.database import Pool

_COLUMNS = ("product_id", *(item.name for item in fields(SpectrumRow)))


@dataclass(frozen=True)
class StoredProduct:
    """A registered product: where it lies in the data folder, and the exposures it is made of."""

    product_id: str
    stored_path: str
    checksum: str
    exposures: tuple[Exposure, ...]


async def find_products(pool: Pool, product_ids: Sequence[str]) -> list[StoredProduct]:
    """Products that are registered still."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            """
            SELECT p.product_id, p.stored_path, p.checksum,
                coalesce(array_agg(f.utmjd ORDER BY f.utmjd) FILTER (WHERE f.frame_id IS NOT NULL), '{}') AS starts,
                coalesce(array_agg(f.exposed ORDER BY f.utmjd) FILTER (WHERE f.frame_id IS NOT NULL), '{}') AS lengths
            FROM product p
            LEFT JOIN product_frame USING (product_id)
            LEFT JOIN frame f ON f.frame_id = product_frame.frame_id AND f.frame_class IN ('MFOBJECT', 'MFFLX')
            WHERE p.product_id = ANY($1::text[])
            GROUP BY p.product_id ORDER BY p.product_id
            """,
            list(product_ids),
        )
    return [
        StoredProduct(
            row["product_id"],
            row["stored_path"],
            row["checksum"],
            tuple(Exposure(*pair) for pair in zip(row["starts"], row["lengths"], strict=True)),
        )
        for row in rows
    ]


async def write_spectra(pool: Pool, product: StoredProduct, rows: Sequence[SpectrumRow]) -> bool:
    """Replace the rows of a product, in one transaction.

    Returns
    -------
    bool
        False if the product has been repeated meanwhile; its own event brings the rows of the new file.
    """
    async with pool.acquire() as connection, connection.transaction():
        checksum = await connection.fetchval(
            "SELECT checksum FROM product WHERE product_id = $1 FOR SHARE", product.product_id
        )
        if checksum != product.checksum:
            return False
        await connection.execute("DELETE FROM spectrum WHERE product_id = $1", product.product_id)
        await connection.copy_records_to_table(
            "spectrum", records=[(product.product_id, *astuple(row)) for row in rows], columns=_COLUMNS
        )
    return True
