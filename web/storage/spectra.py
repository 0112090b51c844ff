"""Spectra with the products they are in, as the services of the Virtual Observatory tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from paws.access.predicate import seen
from paws.access.rule import Sight
from paws.database import Pool
from paws.vo.identifiers import SpectrumId

_PRODUCT: Final = (
    "p.product_id, p.job_key, p.slot, p.kind, p.night, p.arm, p.version, p.current, p.path, p.stored_path, p.checksum,"
    " p.size_bytes, p.plate, p.grating, p.field, p.run, p.level, p.provisional, p.provenance, p.created_at, p.owners,"
    " p.public_on"
)
_SPECTRUM: Final = (
    "s.fibre, s.target_name, s.fibre_type, s.pivot, s.ra, s.dec, s.magnitude, s.em_min, s.em_max, s.resolving_power,"
    " s.signal_to_noise, s.exposed, s.mjd_start, s.mjd_end"
)


@dataclass(frozen=True, kw_only=True)
class SpectrumRecord:
    """A spectrum, or with no fibre a whole product.

    Attributes
    ----------
    ra, dec
        Degrees, ICRS.
    em_min, em_max
        Metres in vacuum.
    mjd_start, mjd_end
        UTC.
    exposed
        Seconds.
    """

    product_id: str
    job_key: str
    slot: str
    kind: str
    night: str
    arm: str | None
    version: int
    current: bool
    path: str
    stored_path: str
    checksum: str
    size_bytes: int
    plate: int | None
    grating: str
    field: str
    run: int | None
    level: int | None
    provisional: bool
    provenance: dict[str, Any]
    created_at: datetime
    owners: tuple[str, ...]
    public_on: date
    fibre: int | None = None
    target_name: str = ""
    fibre_type: str = ""
    pivot: int | None = None
    ra: float | None = None
    dec: float | None = None
    magnitude: float | None = None
    em_min: float | None = None
    em_max: float | None = None
    resolving_power: float | None = None
    signal_to_noise: float | None = None
    exposed: float | None = None
    mjd_start: float | None = None
    mjd_end: float | None = None

    @property
    def named(self) -> SpectrumId:
        """What its identifier names."""
        return SpectrumId(self.product_id, self.fibre)

    @property
    def title(self) -> str:
        """What it is, in a line."""
        parts = (self.target_name, self.night, self.field, self.arm, self.grating)
        return " ".join(part for part in parts if part)


async def records(pool: Pool, wanted: Sequence[SpectrumId], sight: Sight) -> dict[SpectrumId, SpectrumRecord]:
    """Spectra and products that somebody may see, by what was asked for. What is missing does not exist for them."""
    if not wanted:
        return {}
    asked = list(dict.fromkeys(wanted))
    allowed, values = seen(
        "product", sight, [[one.product_id for one in asked], [one.fibre for one in asked]], "p"
    )
    rows = await pool.fetch(
        f"SELECT w.fibre AS wanted_fibre, {_PRODUCT}, {_SPECTRUM}"  # noqa: S608 - constants
        " FROM unnest($1::text[], $2::integer[]) AS w(product_id, fibre) JOIN product p USING (product_id)"
        " LEFT JOIN spectrum s ON s.product_id = p.product_id AND s.fibre = w.fibre"
        f" WHERE (w.fibre IS NULL OR s.fibre IS NOT NULL) AND {allowed}",
        *values,
    )
    found = [_record(row) for row in rows]
    return {record.named: record for record in found}


async def record(pool: Pool, wanted: SpectrumId, sight: Sight) -> SpectrumRecord | None:
    """One spectrum or product; None when there is none, or none for them."""
    return (await records(pool, [wanted], sight)).get(wanted)


def _record(row: Any) -> SpectrumRecord:
    values = dict(row)
    if values.pop("wanted_fibre") is None:
        values = {name: value for name, value in values.items() if name not in _OF_SPECTRA}
    values["owners"] = tuple(values["owners"] or ())
    return SpectrumRecord(**values)


_OF_SPECTRA: Final = frozenset(part.strip().removeprefix("s.") for part in _SPECTRUM.split(","))
