"""What belongs to spectra: raw frames, products behind them, products made of them, logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from paws.access.predicate import seen
from paws.access.rule import Sight
from paws.database import Pool
from paws.vo.identifiers import SpectrumId
from schemas.vocabulary import ProductKind
from web.storage.downloads import StoredFrame

_SPECTRA: Final = [kind.value for kind in ProductKind if kind.has_spectra]
_FRAME: Final = (
    "f.frame_id, f.night, f.name, f.arm, f.path, f.checksum, f.size_bytes, f.mtime_ns, f.completed_at"
)
# A product that was made of hundreds of others has no more links than people can read.
_MOST_BEHIND: Final = 400


@dataclass(frozen=True)
class RawFrame:
    """A raw frame that went into a product."""

    product_id: str
    frame_id: str
    name: str
    frame_class: str
    arm: str
    size_bytes: int


@dataclass(frozen=True)
class Behind:
    """A product that went into another, directly or not.

    Attributes
    ----------
    root
        Reduction of the product that it went into.
    """

    root: str
    product_id: str
    kind: ProductKind
    arm: str | None
    run: int | None
    size_bytes: int


@dataclass(frozen=True)
class Relative:
    """A current product of the same field with a spectrum of the same target in the same fibre.

    Attributes
    ----------
    of
        The spectrum that it was asked for.
    frames, own_frames
        Raw frames in it, and in the product of `of`.
    """

    of: SpectrumId
    product_id: str
    kind: ProductKind
    arm: str | None
    run: int | None
    frames: frozenset[str]
    own_frames: frozenset[str]


async def raw_frames(pool: Pool, product_ids: Sequence[str], sight: Sight) -> list[RawFrame]:
    """Raw frames that went into products, as far as they are seen."""
    allowed, values = seen("frame", sight, [list(product_ids)], "f")
    rows = await pool.fetch(
        "SELECT l.product_id, f.frame_id, f.name, f.frame_class, f.arm, f.size_bytes FROM product_frame l"  # noqa: S608 - constants
        f" JOIN frame f USING (frame_id) WHERE l.product_id = ANY($1::text[]) AND {allowed}"
        " ORDER BY l.product_id, f.utmjd, f.arm, f.frame_id",
        *values,
    )
    return [RawFrame(**dict(row)) for row in rows]


async def products_behind(pool: Pool, job_keys: Sequence[str], sight: Sight) -> list[Behind]:
    """Products that reductions read, and all that went into those, as far as they are seen."""
    allowed, values = seen("product", sight, [list(job_keys)], "p")
    rows = await pool.fetch(
        f"""
        WITH RECURSIVE needed (root, job_key) AS (
            SELECT key, key FROM unnest($1::text[]) AS k (key)
            UNION SELECT needed.root, read.job_key
            FROM needed JOIN reduction r ON r.job_key = needed.job_key CROSS JOIN LATERAL (
                SELECT item -> 'product' ->> 'job_key' FROM jsonb_array_elements(r.document -> 'calibrations') AS c (item)
                UNION ALL SELECT item ->> 'job_key' FROM jsonb_array_elements(r.document -> 'inputs') AS i (item)
            ) AS read (job_key)
        )
        SELECT n.root, p.product_id, p.kind, p.arm, p.run, p.size_bytes
        FROM needed n JOIN product p USING (job_key) WHERE n.root <> n.job_key AND {allowed}
        ORDER BY n.root, p.kind, p.run, p.arm, p.product_id LIMIT {_MOST_BEHIND * len(job_keys):d}
        """,  # noqa: S608 - constants
        *values,
    )
    return [Behind(**{**dict(row), "kind": ProductKind(row["kind"])}) for row in rows]


async def relatives(pool: Pool, wanted: Sequence[SpectrumId], sight: Sight) -> list[Relative]:
    """Current products of the same fields that have the same targets in the same fibres, as far as they are seen.

    Products that somebody asked for with parameters of their own are left out: they are no part of the night.
    """
    single = [one for one in wanted if one.fibre is not None]
    if not single:
        return []
    allowed, values = seen(
        "product",
        sight,
        [[one.product_id for one in single], [one.fibre for one in single], _SPECTRA],
        "p",
    )
    rows = await pool.fetch(
        f"""
        SELECT w.product_id AS of_product, w.fibre, p.product_id, p.kind, p.arm, p.run,
            ARRAY(SELECT frame_id FROM product_frame l WHERE l.product_id = p.product_id) AS frames,
            ARRAY(SELECT frame_id FROM product_frame l WHERE l.product_id = w.product_id) AS own_frames
        FROM unnest($1::text[], $2::integer[]) AS w (product_id, fibre)
        JOIN product t USING (product_id)
        JOIN spectrum ts ON ts.product_id = w.product_id AND ts.fibre = w.fibre
        JOIN product p ON p.night = t.night AND p.field = t.field AND p.plate IS NOT DISTINCT FROM t.plate
            AND p.product_id <> t.product_id AND p.current AND p.kind = ANY($3::text[])
            AND NOT starts_with(p.slot, 'own/')
        JOIN spectrum s ON s.product_id = p.product_id AND s.fibre = w.fibre AND s.target_name = ts.target_name
        WHERE {allowed}
        ORDER BY w.product_id, w.fibre, p.kind, p.run, p.arm, p.product_id
        """,  # noqa: S608 - constants
        *values,
    )
    return [_relative(row) for row in rows]


def _relative(row: Any) -> Relative:
    return Relative(
        SpectrumId(row["of_product"], row["fibre"]),
        row["product_id"],
        ProductKind(row["kind"]),
        row["arm"],
        row["run"],
        frozenset(row["frames"]),
        frozenset(row["own_frames"]),
    )


async def raw_file(pool: Pool, frame_id: str, sight: Sight) -> StoredFrame | None:
    """The file of a raw frame that somebody may see; None when there is none, or none for them."""
    allowed, values = seen("frame", sight, [frame_id], "f")
    row = await pool.fetchrow(
        f"SELECT {_FRAME} FROM frame f WHERE f.frame_id = $1 AND {allowed}",  # noqa: S608 - constants
        *values,
    )
    return None if row is None else StoredFrame(**dict(row))
