"""The only database I/O of tap_ingest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Final

from agents.reducer.settle import PRODUCT_COLUMNS
from agents.tap_ingest.fibres import FibreRow, FibreTable
from agents.tap_ingest.service import Exposure, SpectrumRow
from paws.database import Connection, Pool
from paws.outbox import announce, status
from paws.status import plain

PUBLISHED: Final = "published"
"""State of a product whose spectra are in the tables of the Virtual Observatory."""

_COLUMNS: Final = ("product_id", *(item.name for item in fields(SpectrumRow)))
_FIBRE_COLUMNS: Final = ("fibre_table_id", *(item.name for item in fields(FibreRow)))


@dataclass(frozen=True)
class StoredProduct:
    """A registered product: where it lies in the data folder, its field, and the exposures it is made of.

    Attributes
    ----------
    figures
        The reducer's figure ``snr``, whatever that is; None where there is none.
    """

    product_id: str
    night: str
    field: str
    plate: int | None
    stored_path: str
    checksum: str
    exposures: tuple[Exposure, ...]
    figures: object = None


async def find_products(pool: Pool, product_ids: Sequence[str]) -> list[StoredProduct]:
    """Products that are registered still."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            """
            SELECT p.product_id, p.night, p.field, p.plate, p.stored_path, p.checksum, p.quality -> 'snr' AS figures,
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
            row["night"],
            row["field"],
            row["plate"],
            row["stored_path"],
            row["checksum"],
            tuple(Exposure(*pair) for pair in zip(row["starts"], row["lengths"], strict=True)),
            row["figures"],
        )
        for row in rows
    ]


async def write_spectra(
    pool: Pool, product: StoredProduct, rows: Sequence[SpectrumRow], fibres: FibreTable, flux_unit: str
) -> bool:
    """Replace the rows of a product, in one transaction. The Virtual Observatory's tables are views of them.

    Returns
    -------
    bool
        False if the product has been repeated meanwhile; its own event brings the rows of the new file.
    """
    async with pool.acquire() as connection, connection.transaction():
        found = await connection.fetchrow(
            "SELECT p.checksum, d.checksum AS taken FROM product p LEFT JOIN product_spectra d USING (product_id)"
            " WHERE p.product_id = $1 FOR SHARE OF p",
            product.product_id,
        )
        if found is None or found["checksum"] != product.checksum:
            return False
        await connection.execute("DELETE FROM spectrum WHERE product_id = $1", product.product_id)
        await connection.copy_records_to_table(
            "spectrum", records=[(product.product_id, *astuple(row)) for row in rows], columns=_COLUMNS
        )
        await _write_fibres(connection, fibres)
        at = await connection.fetchval(
            """
            INSERT INTO product_spectra AS d (product_id, checksum, flux_unit, exposures, fibre_table_id, taken_in_at)
            VALUES ($1, $2, $3, $4, $5, clock_timestamp())
            ON CONFLICT (product_id) DO UPDATE SET checksum = excluded.checksum, flux_unit = excluded.flux_unit,
                exposures = excluded.exposures, fibre_table_id = excluded.fibre_table_id,
                taken_in_at = CASE WHEN d.checksum = excluded.checksum THEN d.taken_in_at ELSE excluded.taken_in_at END
            RETURNING taken_in_at
            """,
            product.product_id,
            product.checksum,
            flux_unit,
            len({item.utmjd for item in product.exposures}),
            fibres.identifier,
        )
        if found["taken"] != product.checksum:
            await _announce(connection, product, len(rows), at)
    return True


async def _write_fibres(connection: Connection, table: FibreTable) -> None:
    """Write a fibre table, unless it is there. Two products of one field may do so at the same time."""
    new = await connection.fetchval(
        "INSERT INTO fibre_table (fibre_table_id, night, field, plate) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING true",
        *(table.identifier, table.night, table.field, table.plate),
    )
    if new:
        await connection.copy_records_to_table(
            "fibre",
            records=[(table.identifier, *astuple(row)) for row in table.rows],
            columns=_FIBRE_COLUMNS,
        )


async def _announce(connection: Connection, product: StoredProduct, spectra: int, at: datetime) -> None:
    """Tell the pages that the spectra of a product are in the tables of the Virtual Observatory."""
    row = await connection.fetchrow(
        f"SELECT {PRODUCT_COLUMNS} FROM product WHERE product_id = $1",  # noqa: S608 - constant columns
        product.product_id,
    )
    shown = {**plain(row), "spectra": spectra, "taken_in_at": at.isoformat()}
    await announce(connection, [status("product", product.product_id, PUBLISHED, row["night"], at, shown)])
