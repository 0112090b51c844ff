"""Regions written as texts."""

from __future__ import annotations

import pytest

from adql.errors import AdqlTypeError
from adql.regions import read_region
from adql.typed import Kind


@pytest.mark.parametrize(
    ("text", "kind", "numbers"),
    [
        ("Circle ICRS 10 20 0.5", Kind.CIRCLE, (10, 20, 0.5)),
        ("CIRCLE ICRS GEOCENTER 10.0 -20 5e-1 unit deg", Kind.CIRCLE, (10, -20, 0.5)),
        ("circle 10 20 0.5", Kind.CIRCLE, (10, 20, 0.5)),
        ("Position FK5 BARYCENTER 1 2", Kind.POINT, (1, 2)),
        ("point 1 2", Kind.POINT, (1, 2)),
        ("Polygon ICRS 1 2 3 4 5 6.5", Kind.POLYGON, (1, 2, 3, 4, 5, 6.5)),
        ("POLYGON 1,2,3,4,5,6.5", Kind.POLYGON, (1, 2, 3, 4, 5, 6.5)),
        ("Box ICRS 1 2 3 4", Kind.POLYGON, (1, 2, 3, 4)),
        ("range 10 10.5 -1 1", Kind.POLYGON, (10.5, 1, 10, 1, 10, -1, 10.5, -1)),
    ],
)
def test_simple_regions(text: str, kind: Kind, numbers: tuple[float, ...]) -> None:
    region = read_region(text)
    assert (region.kind, region.numbers) == (kind, numbers)


def test_parallels_of_a_range_are_followed() -> None:
    """The edges of a polygon are great circles: a wide range takes corners in between."""
    region = read_region("RANGE 0 30 60 61")
    assert len(region.numbers) == 2 * 2 * 31


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("Circle ICRS 10 20", "3 numbers, not 2"),
        ("Circle ICRS 10 20 -1", "negative"),
        ("Circle GALACTIC 10 20 1", "GALACTIC"),
        ("Circle ICRS 10 20 1 unit arcmin", "unit"),
        ("Circle ICRS 10 20 1 2", "not 4"),
        ("Polygon ICRS 1 2 3 4", "six"),
        ("Polygon ICRS 1 2 3 4 5 6 7", "even"),
        ("Union ICRS (Circle 1 2 3 Circle 4 5 6)", "Union"),
        ("Circle ICRS 1e999 2 3", "too large"),
        ("Circle ICRS nan 2 3", "'NAN'"),
        ("moc 3/1", "'moc'"),
        ("'); DROP TABLE stars; --", "kind of region"),
        ("range 10 5 0 1", "lower to a higher"),
        ("circle " + "1 " * 20_000, "characters"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, word: str) -> None:
    with pytest.raises(AdqlTypeError, match=word):
        read_region(text)
