from __future__ import annotations

import pytest

from adql import AdqlError, parse
from adql.catalogue import Catalogue, Column, Position, Table
from adql.resolve import resolve
from adql.typed import Query


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Three tables of a made-up survey, and one that came with the query."""
    objects = Table(
        "survey.objects",
        (
            Column("name", "unicodeChar", "*", ucd="meta.id;meta.main", description="Designation"),
            Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"),
            Column("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main"),
            Column("mag", "float", unit="mag", ucd="phot.mag;em.opt.V", utype="src:mag", description="V"),
            Column("pmra", "double", unit="mas/yr", ucd="pos.pm;pos.eq.ra"),
            Column("visits", "int"),
            Column("seen", "char", "*", "timestamp", ucd="time.epoch"),
            Column("footprint", "double", "*", "circle"),
            Column("visible", "boolean"),
            Column("Size", "short", unit="arcsec"),
            Column("fluxes", "float", "100"),
            Column("epoch", "double", unit="d"),
        ),
        "survey.objects",
        (Position("ra", "dec"),),
    )
    spectra = Table(
        "survey.spectra",
        (
            Column("name", "unicodeChar", "*"),
            Column("snr", "float"),
            Column("exposure", "double", unit="s"),
            Column("mag", "double", unit="mag"),
        ),
        "survey.spectra",
    )
    odd = Table(
        'vizier."I/239/hip"', (Column("HIP", "long"), Column("hip", "long"), Column("B-V", "float")), "hip"
    )
    return Catalogue(
        [objects, spectra, odd, Table("TAP_UPLOAD.mine", (Column("name", "char", "*"),), "mine")]
    )


@pytest.fixture
def resolved(catalogue):
    def run(text: str) -> Query:
        try:
            return resolve(parse(text), catalogue)
        except AdqlError as error:
            raise error.located(text) from None

    return run


@pytest.fixture
def outputs(resolved):
    """The columns of a result, as (name, datatype, unit, UCD)."""

    def run(text: str):
        return [
            (one.name, one.meta.datatype, one.meta.unit, one.meta.ucd)
            for one in resolved(text).expression.outputs
        ]

    return run
