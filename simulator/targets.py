"""The sources of a field: which fibre looks at what, how bright it is and at which redshift."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulator.conditions import ORDINARY, Conditions
from simulator.slit import FIBRES, SLITLET, Slit

FloatArray = NDArray[np.float64]

FIELD_RADIUS_DEG = 1.0
PLATE_SCALE_ARCSEC_PER_MM = 15.0


class SourceClass(StrEnum):
    """What kind of object a target is."""

    STAR = "star"
    EMISSION_GALAXY = "emission galaxy"
    PASSIVE_GALAXY = "passive galaxy"
    QUASAR = "quasar"
    NONE = ""


_MIX = (
    (SourceClass.STAR, 0.25),
    (SourceClass.EMISSION_GALAXY, 0.38),
    (SourceClass.PASSIVE_GALAXY, 0.25),
    (SourceClass.QUASAR, 0.12),
)
# An object counted as sky; a dark fibre counted as sky; dark fibres counted as objects.
_MISTAKES = (("P", "S"), ("U", "S"), ("N", "P"), ("U", "P"))
STAR_KELVIN = {"A": 9000.0, "F": 6800.0, "G": 5700.0, "K": 4500.0, "M": 3500.0}


@dataclass(frozen=True, eq=False)
class FieldTargets:
    """Everything a configuration says about its 400 fibres, and the truth behind it.

    Arrays have shape (400,) in slit order. Angles are in radians, positions in micron.

    Parameters
    ----------
    label : str
        Field name.
    plate : int
        0 or 1.
    centre_ra, centre_dec : float
        Field centre, radians.
    name : tuple of str
        Target names.
    kind : ndarray of str
        TYPE codes: P, S, F, U, N.
    entered : ndarray of str
        The same as the fibre table has it; differs where the table is wrong.
    ra, dec : ndarray
        J2000 positions.
    x, y : ndarray of int
        Plate positions.
    theta : ndarray
        Button angles.
    magnitude : ndarray
        r-band AB magnitude; 0 where there is no target.
    source : tuple of SourceClass
        Truth.
    subtype : tuple of str
        Spectral type of stars; empty otherwise.
    redshift : ndarray
        True redshift; NaN where there is no target.
    strength : ndarray
        Random strength of the spectral features, about 1.
    """

    label: str
    plate: int
    centre_ra: float
    centre_dec: float
    name: tuple[str, ...]
    kind: NDArray[np.str_]
    entered: NDArray[np.str_]
    ra: FloatArray
    dec: FloatArray
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    theta: FloatArray
    magnitude: FloatArray
    source: tuple[SourceClass, ...]
    subtype: tuple[str, ...]
    redshift: FloatArray
    strength: FloatArray


def make_targets(
    label: str,
    slit: Slit,
    centre_ra: float,
    centre_dec: float,
    seed: list[int],
    conditions: Conditions = ORDINARY,
) -> FieldTargets:
    """Configure a field: allocate fibres to targets, sky and guides, and draw the targets' truth.

    Parameters
    ----------
    label : str
        Field name.
    slit : Slit
        The plate's slit: broken and guide fibres are taken from it.
    centre_ra, centre_dec : float
        Field centre, radians.
    seed : list of int
        Seed of this field.
    conditions : Conditions
        Number of sky fibres, and of mistakes in the table.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    kind = _allocate(slit, conditions.sky_fibres, rng)

    # A button lies within 14 degrees of the line from its pivot to the plate's centre.
    bearing = 2.0 * np.pi * (slit.pivot - 1) / FIBRES + rng.uniform(-0.24, 0.24, FIBRES)
    radius = np.deg2rad(FIELD_RADIUS_DEG) * np.sqrt(rng.uniform(0.02, 0.98, FIBRES))
    xi, eta = radius * np.sin(bearing), radius * np.cos(bearing)
    ra, dec = _deproject(xi, eta, centre_ra, centre_dec)
    micron = np.rad2deg(1.0) * 3600.0 / PLATE_SCALE_ARCSEC_PER_MM * 1000.0

    target = kind == "P"
    names = [name for name, _ in _MIX]
    shares = [share for _, share in _MIX]
    drawn = rng.choice(len(names), size=FIBRES, p=shares)
    source = tuple(names[i] if lit else SourceClass.NONE for i, lit in zip(drawn, target, strict=True))
    types = rng.choice(list(STAR_KELVIN), size=FIBRES, p=[0.1, 0.25, 0.3, 0.2, 0.15])
    subtype = tuple(str(t) if s is SourceClass.STAR else "" for t, s in zip(types, source, strict=True))
    magnitude = 17.0 + 4.0 * rng.power(1.8, FIBRES)
    redshift = np.array([_redshift(s, m, rng) for s, m in zip(source, magnitude, strict=True)])
    guide = kind == "F"
    brightness = np.where(target, magnitude, np.where(guide, rng.uniform(13.5, 14.5, FIBRES), 0.0))
    return FieldTargets(
        label=label,
        plate=slit.plate,
        centre_ra=centre_ra,
        centre_dec=centre_dec,
        name=tuple(_name(k, r, d, i) for i, (k, r, d) in enumerate(zip(kind, ra, dec, strict=True))),
        kind=kind,
        entered=_mistaken(kind, conditions.mistyped, np.random.Generator(np.random.PCG64([*seed, 1]))),
        ra=ra,
        dec=dec,
        x=np.rint(xi * micron).astype(np.int64),
        y=np.rint(eta * micron).astype(np.int64),
        theta=np.mod(bearing + np.pi, 2.0 * np.pi),
        magnitude=np.asarray(np.round(brightness, 3), dtype=np.float64),
        source=source,
        subtype=subtype,
        redshift=redshift,
        strength=rng.lognormal(0.0, 0.35, FIBRES),
    )


def open_to_sky(targets: FieldTargets) -> NDArray[np.bool_]:
    """Fibres that look at the sky in a science exposure, shape (400,)."""
    return np.asarray(np.isin(targets.kind, ["P", "S"]))


def open_to_lamps(targets: FieldTargets) -> NDArray[np.bool_]:
    """Fibres that the flaps light: parked ones too, shape (400,)."""
    return np.asarray(np.isin(targets.kind, ["P", "S", "U"]))


def _allocate(slit: Slit, sky_fibres: int, rng: np.random.Generator) -> NDArray[np.str_]:
    kind = np.full(FIBRES, "P", dtype="<U1")
    kind[slit.guide] = "F"
    kind[slit.broken] = "N"
    free = np.flatnonzero(kind == "P")
    # Sky fibres are spread along the slit: at most one in most slitlets.
    slitlets = rng.permutation(FIBRES // SLITLET)[:sky_fibres]
    for slitlet in slitlets:
        candidates = free[(free // SLITLET) == slitlet]
        kind[rng.choice(candidates)] = "S"
    free = np.flatnonzero(kind == "P")
    kind[rng.choice(free, size=int(rng.integers(20, 46)), replace=False)] = "U"
    return kind


def _mistaken(kind: NDArray[np.str_], pairs: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """TYPE codes with pairs of fibres exchanged, the gravest mistakes first."""
    entered = kind.copy()
    for i in range(pairs):
        first, second = _MISTAKES[i % len(_MISTAKES)]
        places = [np.flatnonzero((kind == code) & (entered == kind)) for code in (first, second)]
        if all(len(place) for place in places):
            a, b = (rng.choice(place) for place in places)
            entered[a], entered[b] = second, first
    return entered


def _redshift(source: SourceClass, magnitude: float, rng: np.random.Generator) -> float:
    if source is SourceClass.STAR:
        return float(rng.normal(0.0, 50.0) / 299792.458)
    if source is SourceClass.QUASAR:
        return float(rng.uniform(0.3, 3.2))
    if source is SourceClass.NONE:
        return float("nan")
    typical = 0.08 * 10.0 ** (0.2 * (magnitude - 17.5))
    return float(np.clip(typical * rng.lognormal(0.0, 0.35), 0.01, 0.9))


def _deproject(xi: FloatArray, eta: FloatArray, ra: float, dec: float) -> tuple[FloatArray, FloatArray]:
    """Sky position of gnomonic plane coordinates (all radians)."""
    denominator = np.cos(dec) - eta * np.sin(dec)
    sky_ra = np.mod(ra + np.arctan2(xi, denominator), 2.0 * np.pi)
    sky_dec = np.arctan2(np.sin(dec) + eta * np.cos(dec), np.hypot(xi, denominator))
    return sky_ra, sky_dec


def _name(kind: str, ra: float, dec: float, index: int) -> str:
    if kind == "U":
        return "PARKED"
    if kind == "N":
        return "BROKEN"
    if kind == "S":
        return f"SKY{index + 1:03d}"
    tenths = round(np.rad2deg(ra) / 15.0 * 36000.0) % 864000
    hours, rest = divmod(int(tenths), 36000)
    minutes, seconds = divmod(rest, 600)
    arcsec = round(abs(np.rad2deg(dec)) * 3600.0)
    degree, rest = divmod(int(arcsec), 3600)
    sign = "-" if dec < 0 else "+"
    letter = "G" if kind == "F" else "T"
    position = f"{hours:02d}{minutes:02d}{seconds:03d}{sign}{degree:02d}{rest // 60:02d}{rest % 60:02d}"
    return f"{letter}{position}"
