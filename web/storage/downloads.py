"""What a download is made of, as the database knows it, and the sums that are kept of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from paws.access.predicate import condition, seen, values_of
from paws.access.rule import Sight
from paws.database import Pool
from schemas.vocabulary import ProductKind
from web.downloads.members import Digest
from web.storage.filters import Where

_COLUMNS: Final = (
    "product_id, job_key, kind, night, version, current, path, stored_path, checksum, size_bytes, created_at"
)
_SPECTRA: Final = [kind.value for kind in ProductKind if kind.has_spectra]

_NEEDED: Final = """
    WITH RECURSIVE needed (job_key) AS (
        SELECT unnest($1::text[])
        UNION SELECT read.job_key FROM needed JOIN reduction r ON r.job_key = needed.job_key CROSS JOIN LATERAL (
            SELECT item -> 'product' ->> 'job_key' FROM jsonb_array_elements(r.document -> 'calibrations') AS c (item)
            UNION ALL SELECT item ->> 'job_key' FROM jsonb_array_elements(r.document -> 'inputs') AS i (item)
        ) AS read (job_key)
    )
"""


@dataclass(frozen=True)
class StoredProduct:
    """A product that goes into a download."""

    product_id: str
    job_key: str
    kind: ProductKind
    night: str
    version: int
    current: bool
    path: str
    stored_path: str
    checksum: str
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True)
class StoredFrame:
    """A raw frame that goes into a download."""

    frame_id: str
    night: str
    name: str
    arm: str
    path: str
    checksum: str
    size_bytes: int
    mtime_ns: int
    completed_at: datetime


async def chosen_products(
    pool: Pool,
    sight: Sight,
    *,
    product_ids: Sequence[str] = (),
    night: str | None = None,
    field: str | None = None,
    limit: int,
) -> list[StoredProduct]:
    """Products that a download is about: those named, or the current spectra of a night and field.

    More than `limit` are never read; one more than that tells that there are more.
    """
    where = Where()
    where.seen_by("product", sight)
    where.add("product_id = ANY({}::text[])", list(product_ids) or None)
    if not product_ids:
        where.add("night = {}", night)
        where.add("field = {}", field)
        where.add("kind = ANY({}::text[])", _SPECTRA)
        where.require("current")
    return await _products(pool, where, limit)


async def products_of_jobs(
    pool: Pool, sight: Sight, job_keys: Sequence[str], limit: int
) -> list[StoredProduct]:
    """Products of some reductions."""
    where = Where()
    where.seen_by("product", sight)
    where.add("job_key = ANY({}::text[])", list(job_keys))
    return await _products(pool, where, limit)


async def products_behind(
    pool: Pool, sight: Sight, job_keys: Sequence[str], limit: int
) -> list[StoredProduct]:
    """Products of some reductions and of all that went into them: calibrations, and theirs, and single frames."""
    allowed, values = seen("product", sight, [list(job_keys)], "p")
    rows = await pool.fetch(
        f"{_NEEDED} SELECT {_prefixed('p')} FROM product p JOIN needed USING (job_key)"  # noqa: S608 - constants
        f" WHERE {allowed} ORDER BY p.path, p.version, p.product_id LIMIT {limit + 1:d}",
        *values,
    )
    return [_product(row) for row in rows]


async def frames_of(pool: Pool, sight: Sight, product_ids: Sequence[str], limit: int) -> list[StoredFrame]:
    """Raw frames that went into some products, as far as they are seen."""
    allowed, values = seen("frame", sight, [list(product_ids)], "f")
    rows = await pool.fetch(
        "SELECT DISTINCT f.frame_id, f.night, f.name, f.arm, f.path, f.checksum, f.size_bytes, f.mtime_ns,"  # noqa: S608 - constants
        " f.completed_at FROM product_frame l JOIN frame f USING (frame_id)"
        f" WHERE l.product_id = ANY($1::text[]) AND {allowed} ORDER BY f.frame_id LIMIT {limit + 1:d}",
        *values,
    )
    return [StoredFrame(**dict(row)) for row in rows]


async def logs_of(pool: Pool, sight: Sight, job_keys: Sequence[str]) -> dict[str, str]:
    """Logs of some reductions: stored path by key."""
    allowed, values = seen("reduction", sight, [list(job_keys)])
    rows = await pool.fetch(
        "SELECT job_key, log_path FROM reduction WHERE job_key = ANY($1::text[])"  # noqa: S608 - constants
        f" AND log_path IS NOT NULL AND {allowed} ORDER BY job_key",
        *values,
    )
    return {row["job_key"]: row["log_path"] for row in rows}


async def jobs_of_request(
    pool: Pool, sight: Sight, account_id: int | None, request_id: str
) -> list[str] | None:
    """Reductions whose products somebody's request asked for; None when there is no such request for them."""
    found = await pool.fetchval(
        "SELECT true FROM request WHERE request_id = $1 AND may_see_request(owners, account_id, $2, $3, $4)",
        request_id,
        account_id,
        *values_of(sight)[:2],
    )
    if not found:
        return None
    rows = await pool.fetch(
        "SELECT p.job_key FROM request_part p JOIN reduction r USING (job_key)"  # noqa: S608 - constants
        f" WHERE p.request_id = $1 AND p.wanted AND p.result AND {condition('reduction', 2, 'r')} ORDER BY p.position",
        request_id,
        *values_of(sight),
    )
    return [row["job_key"] for row in rows]


async def known_digests(pool: Pool, checksums: Sequence[str]) -> dict[str, Digest]:
    """Sums that are kept, by BLAKE3."""
    rows = await pool.fetch(
        "SELECT checksum, sha256, crc32 FROM file_digest WHERE checksum = ANY($1::text[])", list(checksums)
    )
    return {row["checksum"]: Digest(row["checksum"], row["sha256"], row["crc32"]) for row in rows}


async def keep_digest(pool: Pool, digest: Digest, size_bytes: int) -> None:
    """Keep the sums of a file. Twice is once."""
    await pool.execute(
        "INSERT INTO file_digest (checksum, size_bytes, sha256, crc32) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        digest.blake3,
        size_bytes,
        digest.sha256,
        digest.crc32,
    )


async def _products(pool: Pool, where: Where, limit: int) -> list[StoredProduct]:
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM product{where} ORDER BY path, version, product_id LIMIT {limit + 1:d}",  # noqa: S608 - constants
        *where.values,
    )
    return [_product(row) for row in rows]


def _prefixed(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _COLUMNS.split(", "))


def _product(row: Any) -> StoredProduct:
    values = dict(row)
    return StoredProduct(**{**values, "kind": ProductKind(values["kind"])})
