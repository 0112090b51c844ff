"""Samples, their parts, their picture; relations between spectra; descriptors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from xml.etree import ElementTree

import numpy as np
import pytest

from adql.catalogue import Column
from paws.errors import InvalidInputError
from paws.vo.identifiers import SpectrumId
from paws.vo.wavelengths import vacuum_of
from schemas.vocabulary import ProductKind
from web.spectra import FibreRow, FibreSpectrum, Plane, SpectraLayout
from web.storage.links import Relative
from web.storage.spectra import SpectrumRecord
from web.ticks import ticks
from web.vo.datalink.descriptors import descriptors_for
from web.vo.datalink.links import relation
from web.vo.problems import BadRequestError
from web.vo.soda.band import read_band
from web.vo.spectra.preview import flux_range, picture
from web.vo.spectra.samples import Medium, between, samples_of

ROW = FibreRow(1, "T", "P", 1, 10.0, -30.0, 19.0)
LAYOUT = SpectraLayout(
    "counts", "wavelength", 4000.0, 2.0, Plane(0, -32, 1, 5, 1, 0), None, None, None, (ROW,)
)
FLUX = np.array([1.0, 2.0, np.nan, 4.0, 5.0])


def found(x=None, flux=FLUX):
    return FibreSpectrum(ROW, x, flux, np.sqrt(np.abs(flux)), None)


def test_samples_are_in_vacuum_or_in_air():
    air = 4000 + 2.0 * np.arange(5)
    np.testing.assert_array_equal(samples_of(LAYOUT, found(), Medium.AIR).wavelength, air)
    np.testing.assert_array_equal(samples_of(LAYOUT, found()).wavelength, vacuum_of(air))


def test_samples_are_put_in_order_and_those_without_a_wavelength_left_out():
    x = np.array([5000.0, 4000.0, np.nan, 4500.0, 4200.0])
    samples = samples_of(replace(LAYOUT, start=None, step=None), found(x, np.arange(5.0)), Medium.AIR)
    np.testing.assert_array_equal(samples.wavelength, [4000, 4200, 4500, 5000])
    np.testing.assert_array_equal(samples.flux, [1, 4, 3, 0])


def test_pixels_are_no_spectrum():
    with pytest.raises(InvalidInputError, match="wavelength scale"):
        samples_of(replace(LAYOUT, axis="pixel"), found())


def test_parts_have_their_ends_and_know_that_they_are_parts():
    samples = samples_of(LAYOUT, found())
    low, high = samples.wavelength[1] * 1e-10, samples.wavelength[3] * 1e-10
    part = between(samples, np.nextafter(low, 0), np.nextafter(high, 1))
    assert part is not None
    np.testing.assert_array_equal(part.wavelength, samples.wavelength[1:4])
    assert part.part
    whole = between(samples, -np.inf, np.inf)
    assert whole is not None
    assert not whole.part
    assert between(samples, 1e-6, 2e-6) is None
    with pytest.raises(ValueError, match="vacuum"):
        between(samples_of(LAYOUT, found(), Medium.AIR), 0, 1)


@pytest.mark.parametrize(
    "text", ["", "1", "1 2 3", "2 1", "nan 1", "1 0x2", "1_0 2", "\u0661 2", "1e9999999 2"]
)
def test_what_is_no_band_is_refused(text):
    with pytest.raises(BadRequestError, match="BAND"):
        read_band(text)


def test_bands_may_be_open():
    assert read_band("-Inf +inf") == (-np.inf, np.inf)
    assert read_band("4.8e-7  .51e-6") == (4.8e-7, 5.1e-7)


@pytest.mark.parametrize(
    "flux",
    [
        np.full(5, np.nan),
        np.zeros(5),
        np.full(5, 1e30),
        np.array([np.inf, -np.inf, 1, 2, 3]),
        np.array([-1e-40] * 5),
    ],
)
def test_strange_spectra_have_pictures(flux):
    samples = samples_of(LAYOUT, found(flux=flux))
    assert picture(samples, "\u661f <&> " * 40).startswith(b"\x89PNG")


def test_one_sample_has_a_picture():
    layout = replace(LAYOUT, data=Plane(0, -32, 1, 1, 1, 0))
    assert picture(samples_of(layout, found(flux=np.array([1.0]))), "").startswith(b"\x89PNG")


@pytest.mark.parametrize(("low", "high"), [(3700, 5850), (-0.3, 1.7), (0, 1e-30), (-5e7, -4.9e7)])
def test_ticks_are_few_round_numbers_within_the_range(low, high):
    found_ticks = ticks(low, high, 8)
    assert 1 <= len(found_ticks) <= 9
    span = high - low
    assert all(low - span * 1e-6 <= one <= high + span * 1e-6 for one in found_ticks)


def test_a_spike_does_not_flatten_the_rest():
    flux = np.r_[np.sin(np.arange(1000)), 1e6]
    low, high = flux_range(flux)
    assert -2 < low < high < 2


RECORD = SpectrumRecord(
    product_id="p",
    job_key="k",
    slot="s",
    kind="object",
    night="20260312",
    arm="blue",
    version=1,
    current=True,
    path="p.fits",
    stored_path="p.fits",
    checksum="c",
    size_bytes=1,
    plate=1,
    grating="580V",
    field="F",
    run=8,
    level=0,
    provisional=False,
    provenance={},
    created_at=datetime(2026, 3, 12, tzinfo=UTC),
    owners=(),
    public_on=date.max,
    fibre=1,
)


@pytest.mark.parametrize(
    ("record", "kind", "arm", "run", "frames", "own", "meaning"),
    [
        ("object", "spliced", None, 8, "ab", "a", ("#derivation", "spectrum")),
        ("object", "combined", "blue", None, "ac", "a", ("#derivation", "spectrum")),
        ("spliced", "object", "red", 8, "b", "ab", ("#progenitor", "spectrum")),
        ("spliced_combined", "combined", "red", None, "bd", "abcd", ("#progenitor", "spectrum")),
        ("object", "object", "red", 8, "b", "a", ("#auxiliary", "counterpart")),
        ("object", "object", "blue", 9, "c", "a", ("#auxiliary", "counterpart")),
        ("spliced", "combined", "blue", None, "ac", "ab", ("#auxiliary", "coderived")),
        ("object", "object", "blue", 8, "a", "a", ("#auxiliary", "coderived")),
        ("object", "combined", "blue", None, "a", "a", ("#derivation", "spectrum")),
        ("combined", "object", "blue", 8, "a", "a", ("#progenitor", "spectrum")),
    ],
)
def test_what_one_spectrum_is_to_another(record, kind, arm, run, frames, own, meaning):
    other = Relative(SpectrumId("p", 1), "q", ProductKind(kind), arm, run, frozenset(frames), frozenset(own))
    assert relation(replace(RECORD, kind=record), other)[:2] == meaning


@pytest.mark.parametrize(
    "column",
    [
        Column("obs_publisher_did", "char", "*"),
        Column("mine", "char", "*", utype="obscore:Curation.PublisherDID"),
        Column("b c", "unicodeChar", "*", utype="ssa:Curation.PublisherDID"),
    ],
)
def test_results_with_identifiers_tell_of_the_services_that_take_them(column):
    columns = [Column("ra", "double"), column]
    links, cutout = (ElementTree.fromstring(text) for text in descriptors_for(columns, "http://a<b"))
    assert links.find("PARAM[@name='accessURL']").get("value") == "http://a<b/datalink/links"
    assert cutout.find("PARAM[@name='accessURL']").get("value") == "http://a<b/soda/sync"
    for one in (links, cutout):
        ref = one.find("GROUP/PARAM[@name='ID']").get("ref")
        assert ref == (column.name if column.name.isidentifier() else "col_2")


def test_other_results_tell_of_none():
    assert descriptors_for([Column("obs_publisher_did", "long"), Column("ra", "double")], "http://a") == ()
