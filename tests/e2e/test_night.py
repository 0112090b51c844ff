"""The main job: raw frames land in a folder, and reduced spectra appear by themselves."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import httpx
import numpy as np
import pytest
from astropy.io import fits

from tests.support.live import Paws, wait_until
from tests.support.readers import read_as_marz

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def paths(running: Paws, *kinds: str) -> list[Path]:
    rows = running.query(
        "SELECT path FROM product WHERE current AND kind = ANY($1::text[]) ORDER BY path", list(kinds)
    )
    return [running.data / "products" / row["path"] for row in rows]


def test_every_frame_is_done(quiet_night):
    states = {row["name"]: row["state"] for row in quiet_night.query("SELECT name, state FROM frame_status")}
    raw = {path.name for path in (quiet_night.data / "raw").rglob("*.fits")}
    assert set(states) == raw
    assert set(states.values()) <= {"reduced", "set_aside"}
    science = quiet_night.query(
        "SELECT state, level, provisional FROM frame_status WHERE frame_class = 'MFOBJECT'"
    )
    assert len(science) == 6
    assert {(row["state"], row["level"], row["provisional"]) for row in science} == {("reduced", 0, False)}


def test_a_flat_that_serves_the_other_arm_is_set_aside_with_a_reason(quiet_night):
    rows = quiet_night.query("SELECT state, reason, arm FROM frame_status WHERE frame_class = 'MFFFF'")
    assert sorted(row["state"] for row in rows) == ["reduced", "reduced", "set_aside", "set_aside"]
    assert all(row["reason"] for row in rows)


def test_products_lie_where_users_know_them(quiet_night, quiet_products):
    found = {str(path.relative_to(quiet_products)) for path in paths(quiet_night, "object", "combined")}
    for grating in ("580V", "385R"):
        assert sum(f"/{grating}/s1/" in path and "/OBJ" in path for path in found) == 3
        assert sum(f"/{grating}/s1/" in path and path.endswith("combined_red.fits") for path in found) == 1
    spliced = [path.name for path in paths(quiet_night, "spliced", "spliced_combined")]
    assert len(spliced) == 4
    assert all("-580V-s1-385R-s1-" in name for name in spliced)


def test_the_tree_holds_exactly_the_current_products(quiet_night, quiet_products):
    rows = quiet_night.query("SELECT path FROM product WHERE current")
    on_disk = {
        str(path.relative_to(quiet_products))
        for path in quiet_products.rglob("*.fits")
        if ".versions" not in path.parts
    }
    assert on_disk == {row["path"] for row in rows}


def test_products_open_with_astropy(quiet_night):
    for path in paths(quiet_night, "object", "combined", "spliced", "spliced_combined"):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            assert [hdu.name for hdu in hdus[1:3]] == ["VARIANCE", "FIBRES"], path
            assert hdus[0].data.shape == hdus["VARIANCE"].data.shape
            assert np.isfinite(hdus[0].data).mean() > 0.8, path
            assert hdus[0].header["NDFCLASS"] == "MFOBJECT"


def test_products_are_identified_and_read_by_specutils(quiet_night):
    from specutils import SpectrumList

    for path in paths(quiet_night, "object", "combined", "spliced", "spliced_combined"):
        with warnings.catch_warnings():
            # Units such as 'Angstroms' are 2dFdr's, and not the FITS standard's.
            warnings.simplefilter("ignore")
            identified = SpectrumList.read(str(path))
            named = SpectrumList.read(str(path), format="Data Central AAOmega")
        assert len(identified) == len(named) > 300, path


def test_products_are_read_by_the_rules_of_marz(quiet_night):
    for path in paths(quiet_night, "object", "combined", "spliced", "spliced_combined"):
        spectra = read_as_marz(path)
        assert len(spectra) > 300, path
        assert all(0 <= item.ra < 360 and -90 <= item.dec <= 90 for item in spectra)
        assert np.median([np.nanmedian(item.variance) for item in spectra]) > 0


def test_products_tell_where_they_come_from(quiet_night):
    for row in quiet_night.query(
        "SELECT path, provenance, level FROM product WHERE current AND kind = 'object'"
    ):
        provenance = json.loads(row["provenance"])
        text = json.dumps(provenance)
        assert row["level"] == 0
        assert "checksum" in text
        assert "tlm" in text
        assert "arc" in text


def test_the_observing_log_has_every_frame(quiet_night):
    log = quiet_night.query("SELECT frame_class, exposed, airmass, field, plate FROM observing_log")
    assert len(log) == quiet_night.query("SELECT count(*) AS n FROM frame")[0]["n"]
    science = [row for row in log if row["frame_class"] == "MFOBJECT"]
    assert all(row["exposed"] > 0 and row["airmass"] >= 1 and row["field"] for row in science)


def test_every_spectrum_is_ready_for_obscore(quiet_night):
    # Spectra follow their products; nobody waits for the last before the night counts as reduced.
    wait_until(
        "all spectra are in the tables",
        lambda: (
            not quiet_night.query(
                "SELECT 1 FROM product LEFT JOIN product_spectra USING (product_id) WHERE current AND taken_in_at IS NULL"
                " AND kind IN ('object', 'combined', 'spliced', 'spliced_combined')"
            )
        ),
    )
    rows = quiet_night.query(
        "SELECT d.kind, count(*) AS n, count(ra) AS placed, min(wavelength_min) AS low, max(wavelength_max) AS high, "
        "count(*) FILTER (WHERE mjd_end > mjd_start) AS timed "
        "FROM spectrum s JOIN product d USING (product_id) WHERE d.current GROUP BY d.product_id, d.kind"
    )
    assert {row["kind"] for row in rows} == {"object", "combined", "spliced", "spliced_combined"}
    for row in rows:
        assert row["n"] == row["timed"]
        assert row["n"] >= 300
        assert 3000 < row["low"] < row["high"] < 10000


def test_the_observer_is_told_that_the_field_is_complete(quiet_night):
    # As long as the demo itself waits for it.
    wait_until("there is a message", lambda: list((quiet_night.data / "outbox").rglob("*.eml")), patience=180)
    messages = list((quiet_night.data / "outbox").rglob("*.eml"))
    assert len(messages) == len({path.name for path in messages}) >= 1
    assert any("Field done" in path.read_text() for path in messages)


def test_nothing_was_rejected_and_nothing_failed(quiet_night):
    assert quiet_night.query("SELECT name, reason FROM rejected_file") == []
    assert (
        quiet_night.query("SELECT slot, error FROM reduction WHERE state NOT IN ('succeeded', 'cancelled')")
        == []
    )


def test_status_feed_has_no_gap(quiet_night):
    row = quiet_night.query("SELECT count(*) AS n, min(seq) AS low, max(seq) AS high FROM status_event")[0]
    assert row["n"] == row["high"] - row["low"] + 1


@pytest.mark.parametrize("page", ["", "healthz", "metrics", "api/nights", "api/openapi.json"])
def test_pages_answer(quiet_night, page):
    web = quiet_night.runtime().web_url
    answer = httpx.get(f"{web}{page}", timeout=120)
    assert answer.status_code == 200, answer.text[:500]
