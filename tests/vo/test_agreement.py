"""Random cones, boxes, polygons and joins in ADQL against extended precision: both back ends give the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.adql_sky import ask
from tests.support.geometry import GeometryDatabase
from tests.support.sphere import angle, around, edge_distance, inside, vectors

EXACT = 1e-9
CASES = 60


@pytest.fixture
def stars(sky: GeometryDatabase) -> tuple[np.ndarray, np.ndarray]:
    """Identifiers and unit vectors of what has a place."""
    rows = np.array(sky.rows("SELECT id, ra, dec FROM stars WHERE ra < 400 ORDER BY id"))
    return rows[:, 0].astype(int), vectors(rows[:, 1], rows[:, 2])


def _centres(seed: int) -> list[tuple[float, float]]:
    """Centres anywhere, with many at the poles and at right ascension 0, some out of range."""
    rng = np.random.default_rng(seed)
    ra = np.where(rng.random(CASES) < 0.3, rng.normal(0, 0.01, CASES), rng.uniform(-400, 760, CASES))
    dec = np.where(
        rng.random(CASES) < 0.3,
        rng.choice([-90, 90, 89.99, -89.9], CASES),
        np.degrees(np.arcsin(rng.uniform(-1, 1, CASES))),
    )
    return [(float(a), float(d)) for a, d in zip(ra, dec, strict=True)]


def _same(found: list[tuple[int]], ids: np.ndarray, within: np.ndarray, sure: np.ndarray) -> None:
    asked = np.isin(ids, [row[0] for row in found])
    assert len(found) == asked.sum(), "each row once"
    assert np.array_equal(asked[sure], within[sure])


def test_cones(sky: GeometryDatabase, stars: tuple[np.ndarray, np.ndarray]) -> None:
    ids, places = stars
    rng = np.random.default_rng(21)
    spellings = [
        "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {a!r}, {d!r}, {r!r}))",
        "DISTANCE(ra, dec, {a!r}, {d!r}) < {r!r}",
        "{r!r} >= DISTANCE(POINT({a!r}, {d!r}), POINT(ra, dec))",
    ]
    several = 0
    for number, (a, d) in enumerate(_centres(1)):
        distances = angle(places, vectors(a, d)[None])
        # One in two goes through a star, as near as numbers can.
        radius = (
            float(rng.choice(distances))
            if number % 2
            else float(rng.choice([1e-6, 0.5, 10, 90, 100, 170, 180]) * rng.random())
        )
        where = spellings[number % 3].format(a=a, d=d, r=radius)
        found = ask(sky, f"SELECT id FROM sky.stars WHERE {where}")
        _same(found, ids, distances <= radius, np.abs(distances - radius) > EXACT)
        several += len(found) > 3
    assert several > CASES / 2


def test_polygons_and_boxes(sky: GeometryDatabase, stars: tuple[np.ndarray, np.ndarray]) -> None:
    ids, places = stars
    rng = np.random.default_rng(22)
    for number, (a, d) in enumerate(_centres(2)[:20]):
        size = float(rng.uniform(1, 40))
        if number % 2:
            count = int(rng.integers(3, 8))
            bearings = np.sort((np.arange(count) + rng.uniform(0.1, 0.9, count)) * 360 / count)
            corners = np.stack(around(a, d, size * rng.uniform(0.3, 1, count), bearings), axis=-1).astype(
                float
            )
            region = f"POLYGON({', '.join(repr(float(x)) for x in corners.ravel())})"
        else:
            ((box,),) = ask(
                sky, f"SELECT BOX({a!r}, {d!r}, {size!r}, {size / 2!r}) FROM sky.stars WHERE id = 1"
            )
            corners = np.array(box).reshape(4, 2)
            region = f"BOX('ICRS', {a!r}, {d!r}, {size!r}, {size / 2!r})"
        polygon = vectors(corners[:, 0], corners[:, 1])
        found = ask(sky, f"SELECT id FROM sky.stars WHERE CONTAINS(POINT(ra, dec), {region}) = 1")
        _same(found, ids, inside(places, polygon), edge_distance(places, polygon) > EXACT)


@pytest.mark.parametrize("radius", [0.5, 3.0, 100.0])
def test_joins(sky: GeometryDatabase, stars: tuple[np.ndarray, np.ndarray], radius: float) -> None:
    _ids, places = stars
    rows = np.array(sky.rows("SELECT ra, dec FROM uploaded ORDER BY id"))
    uploaded = vectors(rows[:, 0], rows[:, 1])
    distances = angle(uploaded[:, None, :], places[None, :, :])
    assert np.min(np.abs(distances - radius)) > EXACT
    for joined in (
        "TAP_UPLOAD.mine AS u JOIN sky.stars AS s ON DISTANCE(s.ra, s.dec, u.ra, u.dec) < {r}",
        "sky.stars AS s JOIN TAP_UPLOAD.mine AS u ON 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, {r}))",
        "sky.stars AS s, TAP_UPLOAD.mine AS u WHERE {r} > DISTANCE(u.ra, u.dec, s.ra, s.dec)",
    ):
        found = ask(sky, f"SELECT COUNT(*) FROM {joined.format(r=radius)}")
        assert found == [(int((distances <= radius).sum()),)]
