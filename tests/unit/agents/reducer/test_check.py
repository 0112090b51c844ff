from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits

from agents.reducer.check import BadProductError, check_product, judge
from agents.reducer.engines import EngineResult
from agents.reducer.runner.quality import read_quality
from schemas.vocabulary import ProductKind
from tests.support.reductions import write_spectra_product

NOW = datetime(2026, 3, 12, tzinfo=UTC)
FAILED_LINE = "AAO03545:CMD03545: Error: the flat shows no fibres"


@pytest.mark.parametrize(
    ("status", "marker", "tail", "code", "words"),
    [
        (0, True, (), None, ""),
        (0, False, ("half way",), "no_exit_marker", "half way"),
        (1, False, (FAILED_LINE,), "engine_failed", "status 1: the flat shows no fibres"),
        (1, True, (), "engine_failed", "nothing"),
        (2, False, (FAILED_LINE, ""), "engine_refused", "refuses its input: the flat"),
        (-11, False, (), "engine_failed", "-11"),
    ],
)
def test_a_command_s_end_is_judged(status, marker, tail, code, words):
    error = judge("reduce_object", EngineResult(status, marker, NOW, NOW, tail), frozenset({2}))
    assert (error.code if error else None) == code
    assert words in (error.message if error else "")


def _edit(path, change):
    with fits.open(path) as hdus:
        hdus = fits.HDUList([hdu.copy() for hdu in hdus])
    change(hdus)
    hdus.writeto(path, overwrite=True)


def _no_variance(hdus):
    del hdus["VARIANCE"]


def _no_fibres(hdus):
    del hdus["FIBRES"]


def _short_variance(hdus):
    hdus["VARIANCE"].data = hdus["VARIANCE"].data[:-1]


def _few_fibres(hdus):
    hdus["FIBRES"] = fits.BinTableHDU(hdus["FIBRES"].data[:-1], name="FIBRES")


def _nothing_finite(hdus):
    hdus[0].data[:] = np.nan


def _integers(hdus):
    hdus[0].data = np.zeros(hdus[0].shape, dtype=np.int16)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (_no_variance, ProductKind.OBJECT, "no VARIANCE"),
        (_no_variance, ProductKind.TLM, None),
        (_no_fibres, ProductKind.OBJECT, "no FIBRES"),
        (_no_fibres, ProductKind.BIAS, None),
        (_short_variance, ProductKind.OBJECT, "differ in shape"),
        (_few_fibres, ProductKind.OBJECT, "rows in FIBRES"),
        (_nothing_finite, ProductKind.OBJECT, "are numbers"),
        (_integers, ProductKind.BIAS, "floating-point"),
    ],
)
def test_a_product_must_be_what_its_kind_is(tmp_path, change, kind, words):
    path = tmp_path / "x.fits"
    write_spectra_product(path)
    _edit(path, change)
    if words is None:
        assert check_product(path, kind, 0.0).shape == (6, 40)
        return
    with pytest.raises(BadProductError, match=words):
        check_product(path, kind, 0.0)


def test_missing_old_and_damaged_products_are_told_apart(tmp_path):
    path = tmp_path / "x.fits"
    with pytest.raises(BadProductError, match="wrote no"):
        check_product(path, ProductKind.OBJECT, 0.0)
    write_spectra_product(path)
    with pytest.raises(BadProductError, match="older"):
        check_product(path, ProductKind.OBJECT, path.stat().st_mtime + 60)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(BadProductError, match=r"FITS|no VARIANCE"):
        check_product(path, ProductKind.OBJECT, 0.0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, {}),
        ("{", {}),
        ("[1]", {}),
        ('{"snr_median": 4.5}', {"snr_median": 4.5, "signal_to_noise": 4.5}),
        (
            '{"signal_to_noise": NaN, "a": [1, Infinity, "x\\u0000"]}',
            {"signal_to_noise": None, "a": [1, None, "x"]},
        ),
    ],
)
def test_quality_figures_are_such_that_a_database_takes_them(tmp_path, content, expected):
    if content is not None:
        (tmp_path / "12mar10011red.quality.json").write_text(content)
    assert read_quality(tmp_path / "12mar10011red.fits") == expected
