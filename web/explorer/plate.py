"""The fibre table of a product for the eye: where every fibre stands, whatever its type, and what the file lacks.

Positions are drawn on the sky about the centre of the field (gnomonic projection: xi to the east, eta to the north).
A fibre without a position on the sky, as parked ones are, is placed by where its button stands on the plate; one
without that too, at the rim, by its pivot. So no fibre is ever missing.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from paws.errors import InvalidInputError
from web.spectra import SpectraLayout, layout_of, number_of, text_of

RIM: Final = 1.12
"""Degrees from the centre at which fibres without a position stand: outside the field of 2dF, whose radius is 1."""
_FAR: Final = 1.5
"""Degrees from the centre beyond which a position is not of this field, but a filler such as 0, 0."""
_PIVOTS: Final = 400
_FEW: Final = 3
"""Fibres with both positions that an affine transformation needs."""
_READING: Final = threading.Lock()

Source = Literal["sky", "plate", "rim"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """A row of the fibre table, placed.

    Attributes
    ----------
    fibre
        Row of the product, from 1.
    ra, dec
        Degrees, J2000; None when the table has none that can be.
    x, y
        Of the button on the plate, micrometre.
    xi, eta
        Where it is drawn: degrees east and north of the field's centre.
    source
        What the place was taken from.
    """

    fibre: int
    name: str
    type: str
    pivot: int | None
    ra: float | None
    dec: float | None
    magnitude: float | None
    x: float | None = None
    y: float | None = None
    comment: str = ""
    xi: float = 0.0
    eta: float = 0.0
    source: Source = "rim"


@dataclass(frozen=True, eq=False)
class Plate:
    """All fibres of a product.

    Attributes
    ----------
    centre
        Right ascension and declination, degrees; None when the file does not tell.
    label
        Name of the field in the fibre table.
    notes
        What the file lacks or has in an odd form, in words for people.
    throughput
        Relative throughput of each fibre (THPUT); None when the product has none.
    """

    centre: tuple[float, float] | None
    label: str
    fibres: tuple[Placed, ...]
    notes: tuple[str, ...]
    throughput: NDArray[np.float32] | None


def read_plate(path: Path) -> Plate:
    """The fibres of a product. Read again only when the file is another one.

    Raises
    ------
    InvalidInputError
        If the file is missing, damaged, or holds no spectra of fibres.
    """
    layout = layout_of(path)
    try:
        status = path.stat()
        return _plate(path, status.st_mtime_ns, status.st_size, layout)
    except (OSError, ValueError, TypeError, KeyError, IndexError, fits.VerifyError) as error:
        raise InvalidInputError(f"The fibre table of {path.name} cannot be read: {error}") from error


@lru_cache(maxsize=64)
def _plate(path: Path, _mtime_ns: int, _size: int, layout: SpectraLayout) -> Plate:
    # Filters of warnings belong to the whole process, so files are read one at a time.
    with (
        _READING,
        warnings.catch_warnings(action="ignore"),
        path.open("rb") as stream,
        fits.open(stream, memmap=False) as hdus,
    ):
        primary = hdus[0].header
        shapes = {text_of(hdu.name).upper(): tuple(hdu.shape) for hdu in hdus[1:] if hasattr(hdu, "shape")}
        table = next(
            hdu for hdu in hdus[1:] if hdu.name.upper().rsplit(".", 1)[-1] in ("FIBRES", "FIBRES_IFU")
        )
        rows = len(table.data)
        columns = {name: _column(table, name) for name in ("X", "Y", "COMMENT")}
        header = table.header
        throughput = _throughput(hdus, layout.data.rows)
        fibres = [
            Placed(
                fibre=row.fibre,
                name=row.name,
                type=row.type,
                pivot=row.pivot,
                ra=row.ra,
                dec=row.dec,
                magnitude=row.magnitude,
                x=number_of(columns["X"][index]) if index < rows else None,
                y=number_of(columns["Y"][index]) if index < rows else None,
                comment=text_of(columns["COMMENT"][index])[:80] if index < rows else "",
            )
            for index, row in enumerate(layout.fibres)
        ]
        centre = _centre(header, primary, fibres)
        return Plate(
            centre=centre,
            label=text_of(header.get("LABEL", ""))[:60],
            fibres=place(fibres, centre),
            notes=notes_on(layout, shapes, rows),
            throughput=throughput,
        )


def notes_on(layout: SpectraLayout, shapes: dict[str, tuple[int, ...]], rows: int) -> tuple[str, ...]:
    """What a product lacks or has in an odd form, as sentences.

    Parameters
    ----------
    shapes
        Of the extensions, by name.
    rows
        Of the fibre table.
    """
    found = []
    for name, plane, lacking in (
        ("VARIANCE", layout.variance, "there is no error band"),
        ("SKY", layout.sky, "the sky that was subtracted cannot be shown"),
    ):
        if plane is None and name in shapes:
            found.append(
                f"The extension {name} has the shape {_shape(shapes[name])}, which fits no spectrum: {lacking}."
            )
        elif plane is None:
            found.append(f"The file has no extension {name}: {lacking}.")
    if layout.axis == "pixel":
        found.append("The header has no wavelength scale (CTYPE1, CRVAL1, CDELT1): the axis counts pixels.")
    if rows < layout.data.rows:
        found.append(
            f"The fibre table has {rows} rows for {layout.data.rows} spectra; the rest have no names."
        )
    elif rows > layout.data.rows:
        found.append(f"The fibre table has {rows} rows, but there are {layout.data.rows} spectra.")
    return tuple(found)


def place(fibres: Sequence[Placed], centre: tuple[float, float] | None) -> tuple[Placed, ...]:
    """Give every fibre a place on the drawing."""
    xi, eta = np.full(len(fibres), np.nan), np.full(len(fibres), np.nan)
    if centre is not None:
        known = [(math.nan if f.ra is None else f.ra, math.nan if f.dec is None else f.dec) for f in fibres]
        xi, eta = project(np.array([ra for ra, _ in known]), np.array([dec for _, dec in known]), centre)
    away = ~(np.hypot(xi, eta) <= _FAR)
    xi[away], eta[away] = np.nan, np.nan
    by_plate = _through_plate(fibres, xi, eta)
    placed = []
    for index, fibre in enumerate(fibres):
        if not away[index]:
            where: tuple[float, float] = (float(xi[index]), float(eta[index]))
            placed.append(replace(fibre, xi=where[0], eta=where[1], source="sky"))
            continue
        lost = replace(fibre, ra=None, dec=None)
        spot = by_plate[index]
        if np.isfinite(spot).all():
            radius = float(np.hypot(*spot))
            shrink = min(1.0, RIM / radius) if radius > 0 else 1.0
            placed.append(
                replace(lost, xi=float(spot[0]) * shrink, eta=float(spot[1]) * shrink, source="plate")
            )
        else:
            angle = 2 * math.pi * ((fibre.pivot or fibre.fibre) - 1) / _PIVOTS
            placed.append(replace(lost, xi=RIM * math.sin(angle), eta=RIM * math.cos(angle), source="rim"))
    return tuple(placed)


def project(ra: Floats, dec: Floats, centre: tuple[float, float]) -> tuple[Floats, Floats]:
    """Gnomonic projection of positions about a centre. All in degrees; NaN behind the tangent plane.

    Notes
    -----
    Calabretta & Greisen 2002 (A&A 395, 1077), section 5.1.3, written with the centre's coordinates.
    """
    ra, dec = np.radians(ra - centre[0]), np.radians(dec)
    sin0, cos0 = math.sin(math.radians(centre[1])), math.cos(math.radians(centre[1]))
    with np.errstate(all="ignore"):
        depth = sin0 * np.sin(dec) + cos0 * np.cos(dec) * np.cos(ra)
        depth = np.where(depth > 0, depth, np.nan)
        xi = np.cos(dec) * np.sin(ra) / depth
        eta = (cos0 * np.sin(dec) - sin0 * np.cos(dec) * np.cos(ra)) / depth
    return np.degrees(xi), np.degrees(eta)


def _through_plate(fibres: Sequence[Placed], xi: Floats, eta: Floats) -> Floats:
    """Places of all fibres by their buttons: the affine transformation that fits those with both positions."""
    plate = np.array(
        [(math.nan if f.x is None else f.x, math.nan if f.y is None else f.y, 1.0) for f in fibres]
    )
    result = np.full((len(fibres), 2), np.nan)
    has_plate = np.isfinite(plate).all(axis=1) & (np.abs(plate[:, :2]).sum(axis=1) > 0)
    both = has_plate & np.isfinite(xi) & np.isfinite(eta)
    if both.sum() >= _FEW and np.linalg.matrix_rank(plate[both] / (1e5, 1e5, 1.0)) == _FEW:
        solution, *_ = np.linalg.lstsq(plate[both], np.column_stack([xi, eta])[both], rcond=None)
        result[has_plate] = plate[has_plate] @ solution
    return result


def _centre(header: Any, primary: Any, fibres: Sequence[Placed]) -> tuple[float, float] | None:
    """Centre of the field: of the fibre table (radians), of the telescope (degrees), else of the targets."""
    ra, dec = number_of(header.get("CENRA")), number_of(header.get("CENDEC"))
    if ra is not None and dec is not None and abs(dec) <= math.pi / 2:
        return math.degrees(ra) % 360.0, math.degrees(dec)
    ra, dec = number_of(primary.get("MEANRA")), number_of(primary.get("MEANDEC"))
    if ra is not None and dec is not None and abs(dec) <= 90:
        return ra % 360.0, dec
    known = [(f.ra, f.dec) for f in fibres if f.ra is not None and f.dec is not None and f.type in "PSF"]
    if not known:
        return None
    lon, lat = np.radians(np.array(known)).T
    x, y, z = (
        float(np.median(part)) for part in (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
    )
    return math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))


def _throughput(hdus: Any, rows: int) -> NDArray[np.float32] | None:
    for hdu in hdus[1:]:
        if hdu.name.upper().rsplit(".", 1)[-1] == "THPUT" and not isinstance(hdu, fits.BinTableHDU):
            values = np.asarray(hdu.data, dtype=np.float32).ravel()
            return values if values.size == rows else None
    return None


def _column(table: Any, name: str) -> list[Any]:
    names = {one.upper(): one for one in table.columns.names}
    return table.data[names[name]].tolist() if name in names else [None] * len(table.data)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in reversed(shape)) or "nothing"
