"""Places as people write them, and boxes that hold every cone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.archive.resolver import place_in
from web.archive.sky import Cone, Place, looks_like_coordinates, place_of


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ("10.6847 +41.269", 10.6847, 41.269),
        (" 10.6847,41.269 ", 10.6847, 41.269),
        ("0 -90", 0.0, -90.0),
        ("360 0", 0.0, 0.0),
        ("00 42 44.3 +41 16 09", 10.684583, 41.269167),
        ("00:42:44.3 +41:16:09", 10.684583, 41.269167),
        ("00h42m44.3s +41d16m09s", 10.684583, 41.269167),
        ("23 59 59.9 -00 00 01", 359.999583, -0.000278),
    ],
)
def test_coordinates_are_read(text: str, ra: float, dec: float) -> None:
    assert looks_like_coordinates(text)
    place = place_of(text)
    assert place.ra == pytest.approx(ra, abs=1e-5)
    assert place.dec == pytest.approx(dec, abs=1e-5)


@pytest.mark.parametrize(
    "text", ["M31", "NGC 253", "47 Tuc", "3C 273", "SDSS J1234", "HD 1", "12", "", "α Cen", "<b>", "2dF"]
)
def test_names_are_not_taken_for_coordinates(text: str) -> None:
    assert not looks_like_coordinates(text)


@pytest.mark.parametrize(
    "text", ["10 91", "361 0", "-1 0", "25 00 00 +10 00 00", "1 2 3 4 5 6 7 8", "10..5 3", "1e3 5", "+ -"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"degrees"):
        place_of(text)


@given(
    ra=st.floats(0, 359.999),
    dec=st.floats(-90, 90),
    radius=st.floats(0.001, 30),
    angle=st.floats(0, 2 * math.pi),
    part=st.floats(0, 1),
)
def test_boxes_hold_the_cone(ra: float, dec: float, radius: float, angle: float, part: float) -> None:
    """A point at some distance and position angle, by spherical trigonometry, lies in one of the boxes."""
    distance, centre = math.radians(radius * part), math.radians(dec)
    sine = math.sin(centre) * math.cos(distance) + math.cos(centre) * math.sin(distance) * math.cos(angle)
    there = math.asin(max(-1.0, min(1.0, sine)))
    east = math.atan2(
        math.sin(angle) * math.sin(distance) * math.cos(centre),
        math.cos(distance) - math.sin(centre) * math.sin(there),
    )
    point = (ra + math.degrees(east)) % 360.0, math.degrees(there)
    boxes = Cone(Place(ra, dec), radius).boxes()
    assert any(low[0] <= point[0] <= low[2] and low[1] <= point[1] <= low[3] for low in boxes)
    assert all(0.0 <= box[0] <= box[2] <= 360.0 and -90.0 <= box[1] <= box[3] <= 90.0 for box in boxes)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("# x\n%J 10.6847083 +41.2687500 = 00:42:44.33\n", Place(10.6847083, 41.26875)),
        ("%J 359.9 -1.0\n%J 1 1\n", Place(359.9, -1.0)),
        ("%J.E [1 2 3]\n", None),
        ("%J 10.0 -91\n", None),
        ("%J 1.2.3 +4\n", None),
        ("", None),
    ],
)
def test_answers_of_sesame(answer: str, place: Place | None) -> None:
    assert place_in(answer) == place
