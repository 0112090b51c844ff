"""The fibre table of a product: of every fibre, whatever it holds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from agents.tap_ingest.fibres import fibre_table
from agents.tap_ingest.reading import read_arrays
from agents.tap_ingest.service import flux_unit
from tests.support.reductions import FIBRES, write_spectra_product

FIELD = ("20260312", "FLD1", 1)


@pytest.fixture
def arrays(tmp_path):
    write_spectra_product(tmp_path / "x.fits", level=100.0, dead=[2])
    return read_arrays(tmp_path / "x.fits")


def test_every_fibre_has_a_row_with_a_spectrum_or_without(arrays):
    table = fibre_table(arrays, *FIELD)
    assert [(row.fibre, row.fibre_type) for row in table.rows] == list(
        enumerate(["P", "P", "P", "P", "S", "F"], start=1)
    )
    first = table.rows[0]
    assert (first.pivot, first.target_name, first.magnitude) == (101, "target 0", 18.5)
    assert first.ra == pytest.approx(math.degrees(0.61))
    # The table has no columns of where the fibres were put.
    assert (first.x, first.y, first.theta, first.programme, first.pm_ra) == (None, None, None, None, None)
    assert (first.retractor, first.comment) == ("", "")


def test_all_columns_of_2df_are_read(tmp_path):
    path = tmp_path / "x.fits"
    write_spectra_product(path)
    with fits.open(path) as hdus:
        more = [
            fits.Column("X", "1J", array=np.arange(FIBRES) * -1000),
            fits.Column("Y", "1J", array=np.arange(FIBRES) * 1000),
            fits.Column("THETA", "1D", array=np.full(FIBRES, -0.5)),
            fits.Column("PID", "1J", array=np.full(FIBRES, 3)),
            fits.Column("PMRA", "1D", array=np.full(FIBRES, 0.01)),
            fits.Column("PMDEC", "1D", array=np.full(FIBRES, -0.02)),
            fits.Column("RETRACTOR", "10A", array=["9"] * FIBRES),
            fits.Column("COMMENT", "80A", array=["DIRECTPHOT"] * FIBRES),
        ]
        hdus["FIBRES"] = fits.BinTableHDU.from_columns(
            hdus["FIBRES"].columns + fits.ColDefs(more), name="FIBRES"
        )
        hdus[0].header["BUNIT"] = "electron"
        hdus.writeto(tmp_path / "y.fits")
    arrays = read_arrays(tmp_path / "y.fits")
    row = fibre_table(arrays, *FIELD).rows[2]
    assert (row.x, row.y, row.programme, row.retractor, row.comment) == (-2000, 2000, 3, "9", "DIRECTPHOT")
    assert row.theta == pytest.approx(360 - math.degrees(0.5))
    assert (row.pm_ra, row.pm_dec) == (0.01, -0.02)
    assert flux_unit(arrays) == "electron"


def test_the_identifier_is_that_of_what_is_in_it(arrays):
    table = fibre_table(arrays, *FIELD)
    assert fibre_table(arrays, *FIELD) == table
    moved = arrays.ra.copy()
    moved[3] += 1e-9
    others = {
        fibre_table(replace(arrays, ra=moved), *FIELD).identifier,
        fibre_table(arrays, "20260313", "FLD1", 1).identifier,
        fibre_table(arrays, "20260312", "FLD1", 0).identifier,
    }
    assert len(others | {table.identifier}) == 4


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e40])
def test_numbers_that_no_column_holds_are_none(arrays, value):
    wild = np.full(FIBRES, value)
    placing = dict.fromkeys(("X", "Y", "PID", "PMRA", "PMDEC"), wild)
    row = fibre_table(replace(arrays, magnitude=wild, pivot=wild, dec=wild, placing=placing), *FIELD).rows[0]
    assert {row.magnitude, row.pivot, row.dec, row.x, row.y, row.programme, row.pm_ra, row.pm_dec} == {None}


def test_a_little_less_than_nothing_is_nothing(arrays):
    ra = np.full(FIBRES, -1e-20)
    assert fibre_table(replace(arrays, ra=ra), *FIELD).rows[0].ra == 0.0


@pytest.mark.parametrize(
    ("unit", "told"),
    [(None, ""), ("  electron ", "electron"), ("é\x00\n" * 100, ""), ("x" * 100, "x" * 40), (7, "7")],
)
def test_a_unit_is_short_and_printable(arrays, unit, told):
    assert flux_unit(replace(arrays, header={"BUNIT": unit})) == told
