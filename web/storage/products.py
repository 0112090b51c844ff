"""Reductions and products, as the pages and the JSON interface show them."""

from __future__ import annotations

from typing import Any

from paws.access.predicate import condition, seen, values_of
from paws.access.rule import Sight
from paws.database import Pool
from paws.status import REDUCTION_COLUMNS
from schemas.vocabulary import ProductKind
from web.access import told_rows
from web.questions import ProductQuestion, ReductionQuestion
from web.storage.filters import Where

Row = dict[str, Any]
_TEXTS = ("error", "stage")

PRODUCT_COLUMNS = (
    "product_id, job_key, slot, kind, night, arm, version, current, path, checksum, size_bytes, plate, grating, "
    "field, run, level, provisional, (quality ->> 'signal_to_noise')::float8 AS signal_to_noise, "
    "created_at, superseded_at"
)
_SPECTRA = [kind.value for kind in ProductKind if kind.has_spectra]


async def products(
    pool: Pool, question: ProductQuestion, sight: Sight, among: list[str] | None = None
) -> tuple[list[Row], int]:
    """Products that a question asks for, the newest first, and how many there are in all.

    Parameters
    ----------
    among
        Identifiers to which the answer is limited.
    """
    where = Where()
    where.seen_by("product", sight)
    where.add("product_id = ANY({}::text[])", among)
    where.add("night = {}", question.night)
    where.add("field = {}", question.field)
    where.add("kind = {}", question.kind and question.kind.value)
    where.add("arm = {}", question.arm and question.arm.value)
    where.add("product_id IN (SELECT product_id FROM product_frame WHERE frame_id = {})", question.frame)
    where.add("kind = ANY({}::text[])", _SPECTRA if question.spectra else None)
    if question.current:
        where.require("current")
    total = await pool.fetchval(f"SELECT count(*) FROM product{where}", *where.values)  # noqa: S608 - constants
    rows = await pool.fetch(
        f"SELECT {PRODUCT_COLUMNS} FROM product{where}"  # noqa: S608 - constant columns and conditions
        f" ORDER BY created_at DESC, product_id{where.page(question.limit, question.offset)}",
        *where.values,
    )
    return [dict(row) for row in rows], int(total)


async def product(pool: Pool, product_id: str, sight: Sight) -> Row | None:
    """One product, whole, with where it is stored; or None."""
    allowed, values = seen("product", sight, [product_id])
    row = await pool.fetchrow(
        f"SELECT {PRODUCT_COLUMNS}, stored_path, quality, provenance FROM product"  # noqa: S608 - constants
        f" WHERE product_id = $1 AND {allowed}",
        *values,
    )
    return None if row is None else (await told_rows(pool, [dict(row)], sight, ("provenance", "quality")))[0]


async def product_of_job(pool: Pool, job_key: str, sight: Sight) -> str | None:
    """Identifier of a reduction's principal product: spectra before tramline maps."""
    allowed, values = seen("product", sight, [job_key])
    found = await pool.fetchval(
        f"SELECT product_id FROM product WHERE job_key = $1 AND {allowed} ORDER BY kind = 'tlm', kind LIMIT 1",  # noqa: S608 - constants
        *values,
    )
    return None if found is None else str(found)


async def product_versions(pool: Pool, slot: str, kind: str, sight: Sight) -> list[Row]:
    """All versions of a product, the newest first."""
    allowed, values = seen("product", sight, [slot, kind])
    rows = await pool.fetch(
        f"SELECT {PRODUCT_COLUMNS} FROM product WHERE slot = $1 AND kind = $2 AND {allowed}"  # noqa: S608 - constants
        " ORDER BY version DESC LIMIT 200",
        *values,
    )
    return [dict(row) for row in rows]


async def product_frames(pool: Pool, product_id: str, sight: Sight) -> list[str]:
    """Identifiers of the frames that went into a product, as far as they are seen."""
    allowed = condition("frame", 2, "f")
    rows = await pool.fetch(
        "SELECT frame_id FROM product_frame l LEFT JOIN frame f USING (frame_id)"  # noqa: S608 - constant condition
        f" WHERE l.product_id = $1 AND coalesce({allowed}, $2) ORDER BY frame_id",
        product_id,
        *values_of(sight),
    )
    return [row["frame_id"] for row in rows]


async def signal_to_noise(pool: Pool, product_id: str) -> dict[int, float]:
    """Signal to noise of a product's spectra, by fibre."""
    rows = await pool.fetch(
        "SELECT fibre, signal_to_noise FROM spectrum WHERE product_id = $1 AND signal_to_noise IS NOT NULL",
        product_id,
    )
    return {row["fibre"]: row["signal_to_noise"] for row in rows}


async def reductions(pool: Pool, question: ReductionQuestion, sight: Sight) -> tuple[list[Row], int]:
    """Reductions that a question asks for, the newest first, and how many there are in all."""
    where = Where()
    where.seen_by("reduction", sight)
    where.add("night = {}", question.night)
    where.add("state = {}", question.state and question.state.value)
    where.add("kind = {}", question.kind and question.kind.value)
    where.add("job_key IN (SELECT job_key FROM reduction_frame WHERE frame_id = {})", question.frame)
    total = await pool.fetchval(f"SELECT count(*) FROM reduction{where}", *where.values)  # noqa: S608 - constants
    rows = await pool.fetch(
        f"SELECT {REDUCTION_COLUMNS} FROM reduction{where}"  # noqa: S608 - constant columns and conditions
        f" ORDER BY requested_at DESC, job_key{where.page(question.limit, question.offset)}",
        *where.values,
    )
    return await told_rows(pool, [dict(row) for row in rows], sight, _TEXTS), int(total)


async def reduction(pool: Pool, job_key: str, sight: Sight) -> Row | None:
    """One reduction, whole, with its frames as far as they are seen; or None."""
    row = await pool.fetchrow(
        f"SELECT {REDUCTION_COLUMNS}, document, engine_started_at, engine_finished_at, log_path,"  # noqa: S608 - constant columns
        " ARRAY(SELECT l.frame_id FROM reduction_frame l LEFT JOIN frame f USING (frame_id)"
        f" WHERE l.job_key = r.job_key AND coalesce({condition('frame', 2, 'f')}, $2) ORDER BY l.frame_id) AS frame_ids"
        f" FROM reduction r WHERE job_key = $1 AND {condition('reduction', 2, 'r')}",
        job_key,
        *values_of(sight),
    )
    return None if row is None else (await told_rows(pool, [dict(row)], sight, (*_TEXTS, "document")))[0]


async def products_of_job(pool: Pool, job_key: str, sight: Sight) -> list[Row]:
    """Products of a reduction."""
    allowed, values = seen("product", sight, [job_key])
    rows = await pool.fetch(
        f"SELECT {PRODUCT_COLUMNS} FROM product WHERE job_key = $1 AND {allowed} ORDER BY kind",  # noqa: S608 - constants
        *values,
    )
    return [dict(row) for row in rows]
