"""Reduced spectra written straight into the database, as tap_ingest writes them: for tests of the Virtual Observatory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from agents.tap_ingest.fibres import FibreRow, FibreTable
from agents.tap_ingest.service import Exposure, SpectrumRow
from agents.tap_ingest.storage import StoredProduct, write_spectra
from paws.clock import from_mjd
from paws.database import Connection, Pool

RECENT_MJD = 61111.5
"""Of an exposure on 2026-03-12, which is nobody's but its proposal's."""
PUBLIC_MJD = 57000.5
"""Of an exposure on 2014-12-09, which everybody may see."""


@dataclass(frozen=True)
class Target:
    """A fibre with a spectrum."""

    name: str
    ra: float
    dec: float
    signal_to_noise: float = 5.0
    fibre_type: str = "P"


@dataclass(frozen=True)
class Spectra:
    """A product to be: one exposure of one arm, unless it says otherwise."""

    name: str
    proposal: str = "A/2026A/008"
    targets: Sequence[Target] = (Target("one", 10.0, -30.0), Target("sky", 10.2, -30.1, fibre_type="S"))
    kind: str = "object"
    field: str = "FLD1"
    plate: int = 1
    arm: str | None = "blue"
    grating: str = "580V"
    run: int | None = 11
    utmjd: float = RECENT_MJD
    exposed: float = 900.0
    version: int = 1
    current: bool = True
    flux_unit: str = "electron"
    slot: str = ""

    @property
    def night(self) -> str:
        return from_mjd(self.utmjd).strftime("%Y%m%d")

    @property
    def frame_id(self) -> str:
        return f"{self.night}-{self.name}"

    @property
    def product_id(self) -> str:
        return f"{_digest(self.name)[:20]}-{self.kind}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def write_frame(connection: Connection, spectra: Spectra, frame_class: str = "MFOBJECT") -> None:
    """The raw frame of a product."""
    first = spectra.targets[0]
    await connection.execute(
        "INSERT INTO frame (frame_id, night, name, path, checksum, size_bytes, arm, run, frame_class, object_name,"
        " field, configuration, plate, grating, central_wavelength, proposal, exposed, utmjd, ra, dec, airmass, document,"
        " completed_at) VALUES ($1, $2, $3, $4, $5, 1000, $6, $7, $8, $9, $10, $11, $12, $13, 4800, $14, $15, $16, $17,"
        " $18, 1.1, $19, $20) ON CONFLICT DO NOTHING",
        *(spectra.frame_id, spectra.night, f"{spectra.name}.fits", f"/raw/{spectra.name}.fits"),
        *(_digest(spectra.frame_id), spectra.arm or "blue", spectra.run or 0, frame_class, spectra.field),
        *(
            spectra.field,
            f"{spectra.field}_p{spectra.plate}.sds",
            spectra.plate,
            spectra.grating,
            spectra.proposal,
        ),
        *(spectra.exposed, spectra.utmjd, first.ra, first.dec),
        {
            "instrument": "AAOMEGA-2dF",
            "exposure": {"median": 10.0, "bright": 900.0, "saturated_fraction": 0.0},
        },
        from_mjd(spectra.utmjd),
    )
    await connection.execute(
        "INSERT INTO observing_log (frame_id, night, run, arm, ut_start, frame_class, object_name, field, plate, grating,"
        " central_wavelength, exposed, airmass, proposal, result)"
        " SELECT frame_id, night, run, arm, $2, frame_class, object_name, field, plate, grating, central_wavelength,"
        " exposed, airmass, proposal, 'reduced' FROM frame WHERE frame_id = $1 ON CONFLICT DO NOTHING",
        *(spectra.frame_id, from_mjd(spectra.utmjd)),
    )


async def write_product(connection: Connection, spectra: Spectra) -> StoredProduct:
    """Frame, reduction and product of spectra, without the spectra."""
    await write_frame(connection, spectra)
    job_key, slot = _digest(f"job {spectra.name}"), spectra.slot or f"{spectra.night}/{spectra.name}"
    await connection.execute(
        "INSERT INTO reduction (job_key, slot, kind, night, arm, state, priority, engine, engine_version, document,"
        " requested_at) VALUES ($1, $2, 'reduce_object', $3, $4, 'succeeded', 1, 'builtin', '1.0', $5, now())",
        *(job_key, slot, spectra.night, spectra.arm, {}),
    )
    await connection.execute(
        "INSERT INTO product (product_id, job_key, slot, kind, night, arm, version, current, path, stored_path, checksum,"
        " size_bytes, plate, grating, field, run, level, quality)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, 1000, $11, $12, $13, $14, 0, $15)",
        *(spectra.product_id, job_key, slot, spectra.kind, spectra.night, spectra.arm, spectra.version),
        *(spectra.current, f"products/{spectra.name}.fits", _digest(f"file {spectra.name}"), spectra.plate),
        *(spectra.grating, spectra.field, spectra.run, {"signal_to_noise": 5.0, "sky_residual": "hostile"}),
    )
    await connection.execute(
        "INSERT INTO product_frame (product_id, frame_id) VALUES ($1, $2)",
        spectra.product_id,
        spectra.frame_id,
    )
    await connection.execute(
        "INSERT INTO reduction_frame (job_key, frame_id) VALUES ($1, $2)", job_key, spectra.frame_id
    )
    return StoredProduct(
        spectra.product_id,
        spectra.night,
        spectra.field,
        spectra.plate,
        f"products/{spectra.name}.fits",
        _digest(f"file {spectra.name}"),
        (Exposure(spectra.utmjd, spectra.exposed),),
    )


async def take_in(pool: Pool, spectra: Spectra, stored: StoredProduct) -> bool:
    """The spectra of a product, written as tap_ingest does."""
    rows = [_spectrum(spectra, fibre, target) for fibre, target in enumerate(spectra.targets, 1)]
    fibres = [_fibre(fibre, target) for fibre, target in enumerate(spectra.targets, 1)]
    guide = _fibre(len(fibres) + 1, Target(f"guide of {spectra.name}", 11.0, -31.0, fibre_type="F"))
    table = FibreTable(
        _digest(f"{spectra.night} {spectra.field} {spectra.plate} {spectra.targets}")[:24],
        spectra.night,
        spectra.field,
        spectra.plate,
        (*fibres, guide),
    )
    return await write_spectra(pool, stored, rows, table, spectra.flux_unit)


async def add_spectra(pool: Pool, *wanted: Spectra) -> None:
    """Products with all that belongs to them."""
    for spectra in wanted:
        async with pool.acquire() as connection:
            stored = await write_product(connection, spectra)
        await take_in(pool, spectra, stored)


def _spectrum(spectra: Spectra, fibre: int, target: Target) -> SpectrumRow:
    return SpectrumRow(
        fibre=fibre,
        target_name=target.name,
        fibre_type=target.fibre_type,
        pivot=100 + fibre,
        ra=target.ra,
        dec=target.dec,
        magnitude=18.5,
        wavelength_min=3740.0,
        wavelength_max=5800.0,
        wavelength_step=1.0,
        resolving_power=1300.0,
        signal_to_noise=target.signal_to_noise,
        exposed=spectra.exposed,
        mjd_start=spectra.utmjd,
        mjd_end=spectra.utmjd + spectra.exposed / 86400,
        flux=250.0,
    )


def _fibre(fibre: int, target: Target) -> FibreRow:
    return FibreRow(
        fibre=fibre,
        pivot=100 + fibre,
        fibre_type=target.fibre_type,
        target_name=target.name,
        ra=target.ra,
        dec=target.dec,
        x=1000 * fibre,
        y=-1000 * fibre,
        theta=12.5,
        magnitude=18.5,
        programme=0,
        retractor="9",
        pm_ra=0.0,
        pm_dec=0.0,
        comment="",
    )
