"""The database's geometry against extended precision: 1e-9 degree, at the poles and at right ascension 0 too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.geometry import GeometryDatabase
from tests.support.sphere import angle, area, around, edge_distance, inside, vectors

EXACT = 1e-9
MIDDLES = [
    (10.5, -20.25),
    (0.0, 0.0),
    (359.9999, 33.0),
    (123.0, 90.0),
    (77.0, -89.9999),
    (-30.0, 89.0),
    (725.0, 5.0),
]


def _pairs() -> np.ndarray:
    """Rows of two positions: anywhere, close, almost opposite, and with right ascensions out of range."""
    rng = np.random.default_rng(11)
    rows = []
    for ra, dec in [
        *MIDDLES,
        *zip(rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40))), strict=True),
    ]:
        distances = np.concatenate(
            [
                10.0 ** rng.uniform(-12, 1, 12),
                rng.uniform(0, 180, 12),
                180 - 10.0 ** rng.uniform(-12, 1, 12),
                [0, 180, 90],
            ]
        )
        ra2, dec2 = around(ra, dec, distances, rng.uniform(0, 360, len(distances)))
        turns = rng.choice([0, 0, 360, -360, 720], len(distances))
        rows.append(
            np.stack(
                [
                    np.full(len(distances), ra),
                    np.full(len(distances), dec),
                    (ra2 + turns).astype(float),
                    dec2.astype(float),
                ],
                axis=1,
            )
        )
    return np.concatenate(rows)


def test_distances_are_exact(geometry_backend: GeometryDatabase) -> None:
    pairs = _pairs()
    found = geometry_backend.value(
        "SELECT array_agg(adql_distance(a, b, c, d) ORDER BY i) FROM"
        " unnest(%s::float8[], %s::float8[], %s::float8[], %s::float8[]) WITH ORDINALITY AS t(a, b, c, d, i)",
        [list(column) for column in pairs.T],
    )
    exact = angle(vectors(pairs[:, 0], pairs[:, 1]), vectors(pairs[:, 2], pairs[:, 3]))
    assert np.max(np.abs(np.array(found) - exact)) < EXACT / 1000


def test_distances_keep_relative_precision_when_tiny(geometry_backend: GeometryDatabase) -> None:
    assert geometry_backend.value("SELECT adql_distance(10, 0, 10, 1e-13)") == pytest.approx(1e-13, rel=1e-12)
    assert geometry_backend.value("SELECT 180 - adql_distance(10, 90, 10, -90)") == 0


@pytest.mark.parametrize("radius", [0.0, 1e-7, 0.3, 60.0, 89.9999, 90.0, 120.0, 179.9, 180.0])
def test_cones_name_every_candidate(geometry_backend: GeometryDatabase, radius: float) -> None:
    """The boxes of the index are a superset of the cone: at its very border as well."""
    names = {
        "cube": ("adql_place", "adql_near", "adql_near_beyond"),
        "pgsphere": ("adql_spoint", "adql_cap", "adql_cap_beyond"),
    }
    place, near, beyond = names[geometry_backend.backend]
    bearings = np.linspace(0, 360, 64, endpoint=False)
    for ra, dec in MIDDLES:
        a, d = around(ra, dec, np.full(64, radius), bearings)
        points = [list(a.astype(float)), list(d.astype(float))]
        circle = f"({ra}::float8, {dec}::float8, {radius}::float8)"
        missed = geometry_backend.value(
            f"SELECT count(*) FROM unnest(%s::float8[], %s::float8[]) AS p(a, d) WHERE"
            f" NOT coalesce({place}(a, d) <@ {near}{circle} OR {place}(a, d) <@ {beyond}{circle}, false)",
            points,
        )
        assert missed == 0, (ra, dec)
        if geometry_backend.backend == "cube":
            assert geometry_backend.value(
                f"SELECT bool_and(adql_place(a, d) <@ adql_band{circle}) FROM unnest(%s::float8[], %s::float8[]) AS p(a, d)",
                points,
            )


def _polygons() -> list[tuple[np.ndarray, np.ndarray]]:
    """Polygons as right ascensions and declinations: convex, star-shaped, small, wide, across 0 and a pole."""
    rng = np.random.default_rng(3)
    shapes = []
    for (ra, dec), size in zip(MIDDLES * 3, [1e-4, 1e-3, 0.01, 0.5, 5, 20, 40] * 3, strict=True):
        count = int(rng.integers(3, 9))
        bearings = np.sort((np.arange(count) + rng.uniform(0.1, 0.9, count)) * 360 / count)
        a, d = around(ra, dec, size * rng.uniform(0.4, 1.0, count), bearings)
        step = 1 if len(shapes) % 2 else -1  # either sense of going round
        shapes.append((a.astype(float)[::step], d.astype(float)[::step]))
    return shapes


def _literal(a: np.ndarray, d: np.ndarray) -> str:
    return "'{" + ",".join(repr(float(x)) for pair in zip(a, d, strict=True) for x in pair) + "}'::float8[]"


def test_points_in_polygons_are_exact(geometry_backend: GeometryDatabase) -> None:
    rng = np.random.default_rng(5)
    decided = 0
    for a, d in _polygons():
        polygon = vectors(a, d)
        middle = np.sum(polygon, axis=0)
        ra, dec = (
            math.degrees(math.atan2(middle[1], middle[0])),
            math.degrees(math.atan2(middle[2], math.hypot(middle[0], middle[1]))),
        )
        size = float(np.max(angle(polygon, middle[None])))
        pa, pd = around(ra, dec, rng.uniform(0, 1.3 * size, 60), rng.uniform(0, 360, 60))
        pa, pd = pa.astype(float), pd.astype(float)
        # The antipodes of some, and points close by the edges.
        ea, ed = around(float(a[0]), float(d[0]), 10.0 ** rng.uniform(-8.5, -6, 20), rng.uniform(0, 360, 20))
        pa, pd = (
            np.concatenate([pa, pa[:9] + 180, ea.astype(float)]),
            np.concatenate([pd, -pd[:9], ed.astype(float)]),
        )
        found = geometry_backend.value(
            f"SELECT array_agg(adql_in_polygon(a, d, adql_polygon_vectors({_literal(a, d)})) ORDER BY i)"
            " FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS t(a, d, i)",
            [list(pa), list(pd)],
        )
        points = vectors(pa, pd)
        sure = edge_distance(points, polygon) > EXACT
        decided += int(sure.sum())
        assert np.array_equal(np.array(found)[sure], inside(points, polygon)[sure]), (a, d)
    assert decided > 1500


def test_distances_from_edges_are_exact(geometry_backend: GeometryDatabase) -> None:
    rng = np.random.default_rng(6)
    for a, d in _polygons():
        pa, pd = around(float(a[0]), float(d[0]), 10.0 ** rng.uniform(-5, 2, 30), rng.uniform(0, 360, 30))
        pa, pd = pa.astype(float), pd.astype(float)
        found = geometry_backend.value(
            f"SELECT array_agg(adql_edge_distance(a, d, adql_polygon_vectors({_literal(a, d)})) ORDER BY i)"
            " FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS t(a, d, i)",
            [list(pa), list(pd)],
        )
        assert np.max(np.abs(np.array(found) - edge_distance(vectors(pa, pd), vectors(a, d)))) < EXACT


SQUARE = "'{10,20,12,20,12,22,10,22}'::float8[]"
STAR = "'{0,10,0.3,0.3,10,0,0.3,-0.3,0,-10,-0.3,-0.3,-10,0,-0.3,0.3}'::float8[]"


@pytest.mark.parametrize(
    ("first", "second", "contained", "meets"),
    [
        ("'{11,21}'", SQUARE, True, True),
        ("'{10,20}'", SQUARE, True, True),
        ("'{12,21}'", SQUARE, True, True),
        ("'{191,-21}'", SQUARE, False, False),
        ("'{13,21}'", SQUARE, False, False),
        ("'{11,21,0.5}'", SQUARE, True, True),
        ("'{11,21,0.99}'", SQUARE, False, True),
        ("'{14,21,1.5}'", SQUARE, False, False),
        ("'{13,21,1.5}'", SQUARE, False, True),
        ("'{11,21,30}'", SQUARE, False, True),
        (SQUARE, "'{11,21,1.5}'", True, True),
        (SQUARE, "'{11,21,1.2}'", False, True),
        (SQUARE, "'{11,21,0.1}'", False, True),
        (SQUARE, "'{191,-21,170}'", False, False),
        (SQUARE, "'{191,-21,178.9}'", False, True),
        (SQUARE, "'{191,-21,180}'", True, True),
        (SQUARE, "'{101,0,130}'", True, True),
        (SQUARE, SQUARE, True, True),
        ("'{10.5,20.5,11,20.5,11,21}'", SQUARE, True, True),
        (SQUARE, "'{10.5,20.5,11,20.5,11,21}'", False, True),
        ("'{9,20.9,13,20.9,13,21.1,9,21.1}'", SQUARE, False, True),
        ("'{13,20,14,20,14,22}'", SQUARE, False, False),
        ("'{2,2,3,2,3,3}'", STAR, False, False),
        ("'{0.1,-0.1,0.1,0.1,-0.1,0.1}'", STAR, True, True),
        ("'{-4,0,4,0,0,4}'", STAR, False, True),
        ("'{0,0,1}'", "'{0.5,0,2}'", True, True),
        ("'{0,0,1}'", "'{359.5,0,1.2}'", False, True),
        ("'{0,0,1}'", "'{3,0,1.9}'", False, False),
        ("'{0,0,100}'", "'{180,0,180}'", True, True),
        ("'{5,5}'", "'{5,5}'", True, True),
        ("'{5,5}'", "'{5,6}'", False, False),
        ("'{0,90,1}'", "'{50,88,120,88,200,88,300,88}'", True, True),
    ],
)
def test_regions_in_regions(
    geometry_backend: GeometryDatabase, first: str, second: str, contained: bool, meets: bool
) -> None:
    values = f"{first}::float8[], {second}::float8[]"
    ((one, two, turned),) = geometry_backend.rows(
        f"SELECT adql_contains({values}), adql_intersects({values}), adql_intersects({second}::float8[], {first}::float8[])"
    )
    assert (one, two, turned) == (contained, meets, meets)


def test_areas_are_exact(geometry_backend: GeometryDatabase) -> None:
    for a, d in _polygons():
        found = geometry_backend.value(f"SELECT adql_area({_literal(a, d)})")
        polygon = vectors(a, d)
        exact = min(area(polygon), area(polygon[::-1]))
        # The sum of angles loses the digits of small areas, even in extended precision.
        assert found == pytest.approx(exact, rel=1e-7, abs=1e-13)
    whole = 4 * math.pi * math.degrees(1) ** 2
    assert geometry_backend.value("SELECT adql_area('{7, 3, 180}')") == pytest.approx(whole, rel=1e-14)
    assert geometry_backend.value("SELECT adql_area('{7, 3, 90}')") == pytest.approx(whole / 2, rel=1e-14)
    assert geometry_backend.value("SELECT adql_area('{0, 0, 90, 0, 0, 90}')") == pytest.approx(
        whole / 8, rel=1e-14
    )
    assert geometry_backend.value("SELECT adql_area('{0, 0, 1e-4}')") == pytest.approx(
        math.pi * 1e-8, rel=1e-10
    )


def test_centroids(geometry_backend: GeometryDatabase) -> None:
    found = geometry_backend.value("SELECT adql_centroid('{0, 0, 90, 0, 0, 90}')")
    assert found == pytest.approx([45, math.degrees(math.asin(1 / math.sqrt(3)))], abs=EXACT)
    assert geometry_backend.value("SELECT adql_centroid(adql_box(359.9, -30, 4, 2))") == pytest.approx(
        [359.9, -30], abs=EXACT
    )
    assert geometry_backend.value("SELECT adql_centroid(adql_box(20, 60, 4e-4, 2e-4))") == pytest.approx(
        [20, 60], abs=EXACT
    )
    assert geometry_backend.value("SELECT adql_centroid(adql_box(20, 60, 0.03, 0.03))") == pytest.approx(
        [20, 60], abs=EXACT
    )
    assert geometry_backend.value("SELECT adql_centroid('{7, 3, 12}')") == [7, 3]


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 0.0), (0.0, 60.0), (45.0, 90.0), (300.0, -89.0)])
def test_boxes_have_arms_of_their_size(geometry_backend: GeometryDatabase, ra: float, dec: float) -> None:
    """The ends of the cross lie in the middle of the sides, and the sides are at right angles to its arms."""
    corners = np.array(geometry_backend.value(f"SELECT adql_box({ra}, {dec}, 10, 4)")).reshape(4, 2)
    polygon = vectors(corners[:, 0], corners[:, 1])
    centre = vectors(ra, dec)
    for side, half in enumerate([5, 2, 5, 2]):
        middle = polygon[side] + polygon[(side + 1) % 4]
        assert float(angle(middle[None], centre[None])[0]) == pytest.approx(half, abs=EXACT)
        normal = np.cross(polygon[side], polygon[(side + 1) % 4])
        arm = np.cross(middle, centre)
        assert float(np.dot(normal, arm)) == pytest.approx(0, abs=1e-12)
    assert area(polygon[::-1]) < 42, "counter-clockwise as seen from within"
    assert geometry_backend.value(f"SELECT adql_box({ra}, {dec}, 180, 4)") is None


@pytest.mark.parametrize("number", ["'NaN'", "'Infinity'", "'-Infinity'", "NULL"])
def test_what_is_no_position_is_unknown(geometry_backend: GeometryDatabase, number: str) -> None:
    """One such number in a table of a million rows ends no query."""
    for a, d in ((number, "3"), ("3", number)):
        ((distance, inside, place),) = geometry_backend.rows(
            f"SELECT adql_distance({a}, {d}, 1, 1), adql_in_polygon({a}, {d}, adql_polygon_vectors('{{1,1,2,2,3,1}}')),"
            f" adql_place({a}, {d})"
        )
        assert (distance, inside, place) == (None, None, None)
    assert geometry_backend.value("SELECT adql_circle(1, NULL, 1)") is None
    assert geometry_backend.value("SELECT adql_contains('{1,2}', '{1,2,3,4,5}')") is None
