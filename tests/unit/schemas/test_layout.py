from __future__ import annotations

import pytest

from schemas.layout import product_path, safe_component
from schemas.reductions import Layout
from schemas.vocabulary import Arm, ProductKind

FIELD = Layout(night="20260312", arm=Arm.RED, plate=1, grating="385R", setup=1, field="FLD195_v03", run=11)
BOTH = FIELD.model_copy(update={"grating": "580V", "other_grating": "385R"})
BIASES = Layout(night="20260312", arm=Arm.BLUE, run=3)


@pytest.mark.parametrize(
    ("kind", "layout", "path"),
    [
        (ProductKind.OBJECT, FIELD, "p1/385R/s1/20260312-FLD195_v03-p1/OBJ0011red.fits"),
        (ProductKind.COMBINED, FIELD, "p1/385R/s1/20260312-FLD195_v03-p1/combined_red.fits"),
        (ProductKind.TLM, FIELD, "p1/385R/s1/20260312-FLD195_v03-p1/FLAT0011tlm.fits"),
        (ProductKind.FFLAT, FIELD, "p1/385R/s1/20260312-FLD195_v03-p1/FLAT0011red.fits"),
        (ProductKind.ARC, FIELD, "p1/385R/s1/20260312-FLD195_v03-p1/ARC0011red.fits"),
        (ProductKind.SPLICED, BOTH, "p1/spliced/20260312-FLD195_v03-p1-580V-s1-385R-s1-OBJ0011red.fits"),
        (
            ProductKind.SPLICED_COMBINED,
            BOTH,
            "p1/spliced/20260312-FLD195_v03-p1-580V-s1-385R-s1-combined_red.fits",
        ),
        (ProductKind.BIAS, BIASES, "calibration/20260312/ccd_1/BIAS0003red.fits"),
        (ProductKind.COMBINED_BIAS, BIASES, "calibration/20260312/ccd_1/BIAScombined.fits"),
        (
            ProductKind.COMBINED_DARK,
            BIASES.model_copy(update={"label": "1800", "setup": 2}),
            "calibration/20260312/ccd_1/s2_DARKcombined1800.fits",
        ),
    ],
    ids=lambda value: value.value if isinstance(value, ProductKind) else "",
)
def test_paths(kind, layout, path):
    assert str(product_path(kind, layout)) == path


@pytest.mark.parametrize("text", ["..", "/", "a/../b", "-\x00", "", " ", "x" * 500])
def test_a_component_stays_a_component(text):
    component = safe_component(text)
    assert "/" not in component
    assert component not in ("", ".", "..")
    assert len(component) <= 80


@pytest.mark.parametrize(
    ("kind", "layout", "lack"),
    [
        (ProductKind.OBJECT, FIELD.model_copy(update={"plate": None}), "plate"),
        (ProductKind.OBJECT, FIELD.model_copy(update={"run": None}), "run"),
        (ProductKind.BIAS, BIASES.model_copy(update={"arm": None}), "arm"),
    ],
)
def test_what_lacks_is_named(kind, layout, lack):
    with pytest.raises(ValueError, match=lack):
        product_path(kind, layout)
