"""Spherical geometry in extended precision, written apart from the database's: what its functions are held to.

Angles are degrees; vectors are rows of longdouble (64 bits of mantissa on x86).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Extended = NDArray[np.longdouble]
_DEGREE = np.longdouble("0.017453292519943295769236907684886127134")
_PI = np.longdouble("3.1415926535897932384626433832795028841972")


def vectors(ra: ArrayLike, dec: ArrayLike) -> Extended:
    """Unit vectors, last axis 3."""
    a = np.asarray(ra, dtype=np.longdouble) * _DEGREE
    d = np.asarray(dec, dtype=np.longdouble) * _DEGREE
    return np.stack(np.broadcast_arrays(np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)), axis=-1)


def angle(u: Extended, v: Extended) -> Extended:
    """Angle of two vectors in degrees, by Kahan's formula."""
    u = u / np.linalg.norm(u, axis=-1, keepdims=True) if u.dtype != np.longdouble else _unit(u)
    v = _unit(v)
    return 2 * np.arctan2(_length(u - v), _length(u + v)) / _DEGREE


def _length(v: Extended) -> Extended:
    return np.sqrt(np.sum(v * v, axis=-1))


def _unit(v: Extended) -> Extended:
    return v / _length(v)[..., None]


def around(ra: float, dec: float, distance: ArrayLike, bearing: ArrayLike) -> tuple[Extended, Extended]:
    """Positions at distances and bearings (degrees) from one: right ascension and declination."""
    centre = vectors(ra, dec)
    a = np.longdouble(ra) * _DEGREE
    east = np.array([-np.sin(a), np.cos(a), 0], dtype=np.longdouble)
    north = np.cross(centre, east)
    r = np.asarray(distance, dtype=np.longdouble)[..., None] * _DEGREE
    b = np.asarray(bearing, dtype=np.longdouble)[..., None] * _DEGREE
    v = centre * np.cos(r) + (north * np.cos(b) + east * np.sin(b)) * np.sin(r)
    return (
        np.arctan2(v[..., 1], v[..., 0]) / _DEGREE % 360,
        np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1])) / _DEGREE,
    )


def edge_distance(points: Extended, polygon: Extended) -> Extended:
    """Least distance in degrees of each point (n, 3) from the edges of a polygon (m, 3)."""
    best = np.full(len(points), 180, dtype=np.longdouble)
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        normal = _unit(np.cross(a, b)[None])[0]
        foot = points - (points @ normal)[:, None] * normal
        length = angle(a[None], b[None])[0]
        along = (angle(foot, a[None]) <= length) & (angle(foot, b[None]) <= length)
        across = np.abs(90 - angle(points, normal[None]))
        ends = np.minimum(angle(points, a[None]), angle(points, b[None]))
        best = np.minimum(best, np.where(along, np.minimum(across, ends), ends))
    return best


def inside(points: Extended, polygon: Extended) -> NDArray[np.bool_]:
    """Whether points lie in a polygon within a hemisphere: even and odd crossings in a gnomonic projection."""
    centre = _unit(np.sum(polygon, axis=0)[None])[0]
    first = _unit(np.cross(centre, [0.3, -0.5, 0.8])[None])[0]
    second = np.cross(centre, first)
    if np.min(polygon @ centre) <= 0:
        raise ValueError("this polygon is wider than a hemisphere around its middle")
    x, y = (polygon @ first) / (polygon @ centre), (polygon @ second) / (polygon @ centre)
    front = points @ centre > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        px, py = (points @ first) / (points @ centre), (points @ second) / (points @ centre)
    odd = np.zeros(len(points), dtype=bool)
    for x0, y0, x1, y1 in zip(x, y, np.roll(x, -1), np.roll(y, -1), strict=True):
        crosses = (y0 > py) != (y1 > py)
        if y0 != y1:
            odd ^= crosses & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    return odd & front


def area(polygon: Extended) -> float:
    """Area in square degrees, by the sum of the inner angles of a polygon given counter-clockwise."""
    total = np.longdouble(0)
    n = len(polygon)
    for i in range(n):
        before, here, after = polygon[i - 1], polygon[i], polygon[(i + 1) % n]
        p, q = np.cross(here, before), np.cross(here, after)
        turn = np.arctan2(np.dot(np.cross(q, p), here), np.dot(p, q))
        total += turn if turn >= 0 else turn + 2 * _PI
    return float((total - (n - 2) * _PI) / _DEGREE**2)
