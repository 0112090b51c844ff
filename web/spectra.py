"""Single spectra out of reduced frames: the file's layout is read once, then one row costs one small read.

The layout is 2dFdr's: PRIMARY (fibres x samples), VARIANCE, FIBRES, and SKY with one row or one per fibre. A
product of a single spectrum (one-dimensional arrays) counts as one fibre.
"""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from paws.errors import InvalidInputError
from paws.signal import QUOTED

_DTYPES: Final = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_NM_TO_ANGSTROM: Final = 10.0
_READING: Final = threading.Lock()
"""Filters of warnings belong to the whole process, so layouts are read one at a time."""


@dataclass(frozen=True)
class Plane:
    """Where an image lies in the file."""

    offset: int
    bitpix: int
    rows: int
    columns: int
    scale: float
    zero: float

    def row(self, path: Path, index: int) -> NDArray[np.float64]:
        """One row, scaled; the only row of an image that has one."""
        dtype = np.dtype(_DTYPES[self.bitpix])
        offset = self.offset + min(index, self.rows - 1) * self.columns * dtype.itemsize
        values = np.fromfile(path, dtype=dtype, count=self.columns, offset=offset)
        if values.size != self.columns:
            raise InvalidInputError(f"{path.name} is shorter than its header says; it may be damaged.")
        return values.astype(np.float64) * self.scale + self.zero

    def all(self, path: Path) -> NDArray[np.float32]:
        """The whole image, scaled, mapped rather than read where possible."""
        mapped = np.memmap(path, _DTYPES[self.bitpix], "r", self.offset, (self.rows, self.columns))
        return mapped.astype(np.float32) * np.float32(self.scale) + np.float32(self.zero)


@dataclass(frozen=True)
class FibreRow:
    """A row of the FIBRES table. Angles are in degrees."""

    fibre: int
    name: str
    type: str
    pivot: int | None
    ra: float | None
    dec: float | None
    magnitude: float | None


@dataclass(frozen=True)
class SpectraLayout:
    """What is where in a product with fibres.

    Attributes
    ----------
    axis
        ``wavelength`` (Angstrom in air) or ``pixel``.
    start, step
        Linear axis; None where `waves` gives the axis of each fibre (nm).
    raw
        The spectra before the sky was subtracted (RWSS).
    quoted
        The reducer's median signal to noise per Angstrom over the targets (`paws.signal`); None where it tells none.
    """

    unit: str
    axis: Literal["wavelength", "pixel"]
    start: float | None
    step: float | None
    data: Plane
    variance: Plane | None
    sky: Plane | None
    waves: Plane | None
    fibres: tuple[FibreRow, ...]
    raw: Plane | None = None
    quoted: float | None = None


@dataclass(frozen=True, eq=False)
class FibreSpectrum:
    """One spectrum; missing values are NaN."""

    row: FibreRow
    x: NDArray[np.float64] | None
    flux: NDArray[np.float64]
    sigma: NDArray[np.float64] | None
    sky: NDArray[np.float64] | None
    raw: NDArray[np.float64] | None = None


def layout_of(path: Path) -> SpectraLayout:
    """Layout of a product. Read again only when the file is another one.

    Raises
    ------
    InvalidInputError
        If the file is missing, damaged, or holds no spectra of fibres.
    """
    try:
        status = path.stat()
        return _layout(path, status.st_mtime_ns, status.st_size)
    except FileNotFoundError as error:
        raise InvalidInputError(f"The file {path.name} is gone; reduce the frame again.") from error
    except (OSError, ValueError, TypeError, KeyError, IndexError, fits.VerifyError) as error:
        raise InvalidInputError(f"{path.name} cannot be read as a reduced frame: {error}") from error


def read_spectrum(path: Path, fibre: int) -> tuple[SpectraLayout, FibreSpectrum]:
    """One spectrum of a product.

    Parameters
    ----------
    path
        The product.
    fibre
        Row, from 1.

    Raises
    ------
    InvalidInputError
        As `layout_of`, and if there is no such row.
    """
    layout = layout_of(path)
    if not 1 <= fibre <= len(layout.fibres):
        raise InvalidInputError(f"There is no fibre {fibre}: this product has 1 to {len(layout.fibres)}.")
    index = fibre - 1
    try:
        flux = layout.data.row(path, index)
        sigma = None
        if layout.variance is not None:
            variance = layout.variance.row(path, index)
            sigma = np.sqrt(np.where(variance >= 0, variance, np.nan))
        sky = None if layout.sky is None else layout.sky.row(path, index)
        raw = None if layout.raw is None else layout.raw.row(path, index)
        waves = None if layout.waves is None else layout.waves.row(path, index) * _NM_TO_ANGSTROM
    except OSError as error:
        raise InvalidInputError(f"{path.name} cannot be read: {error}") from error
    return layout, FibreSpectrum(layout.fibres[index], waves, flux, sigma, sky, raw)


@lru_cache(maxsize=256)
def _layout(path: Path, _mtime_ns: int, _size: int) -> SpectraLayout:
    # Our own stream: astropy leaves its one open when the first header is damaged.
    with (
        _READING,
        warnings.catch_warnings(action="ignore"),
        path.open("rb") as stream,
        fits.open(stream, memmap=False, lazy_load_hdus=False) as hdus,
    ):
        planes: dict[str, Plane] = {}
        fibres: tuple[FibreRow, ...] = ()
        for hdu in hdus:
            name = (hdu.name or "").upper().rsplit(".", 1)[-1]
            if isinstance(hdu, fits.BinTableHDU) and name in ("FIBRES", "FIBRES_IFU"):
                fibres = _fibre_rows(hdu)
            elif isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU):
                plane = _plane(hdu)
                if plane is not None:
                    planes.setdefault(name or "PRIMARY", plane)
        header = hdus[0].header
        data = planes.get("PRIMARY")
        if data is None or not fibres:
            raise InvalidInputError(f"{path.name} holds an image of the detector, no spectra of fibres.")
        fibres = fibres[: data.rows] + tuple(
            FibreRow(index + 1, "", "", None, None, None, None) for index in range(len(fibres), data.rows)
        )

        def beside(name: str) -> Plane | None:
            plane = planes.get(name)
            fits_data = plane is not None and plane.columns == data.columns
            return plane if fits_data and plane is not None and plane.rows in (1, data.rows) else None

        axis, start, step = _axis(header)
        waves = beside("WAVELA") if start is None else None
        if waves is not None:
            axis = "wavelength"
        return SpectraLayout(
            unit=text_of(header.get("BUNIT", ""))[:40],
            axis=axis,
            start=start if start is not None or waves is not None else 1.0,
            step=step if step is not None or waves is not None else 1.0,
            data=data,
            variance=beside("VARIANCE"),
            sky=beside("SKY"),
            waves=waves,
            fibres=fibres,
            raw=beside("RWSS"),
            quoted=number_of(header.get(QUOTED)),
        )


def _axis(header: Any) -> tuple[Literal["wavelength", "pixel"], float | None, float | None]:
    """Axis of the rows: Angstrom where the header has a linear wavelength scale, else undecided."""
    if not text_of(header.get("CTYPE1", "")).upper().startswith(("WAVE", "AWAV", "LAMBDA")):
        return "pixel", None, None
    step = number_of(header.get("CDELT1", header.get("CD1_1")))
    value, pixel = number_of(header.get("CRVAL1")), number_of(header.get("CRPIX1", 1.0))
    if step is None or value is None or pixel is None or step == 0:
        return "pixel", None, None
    if abs(value) < 1e-4:  # metres, as FITS proper would have it
        step, value = step * 1e10, value * 1e10
    return "wavelength", value + (1.0 - pixel) * step, step


def _plane(hdu: Any) -> Plane | None:
    header = hdu.header
    dimensions = int(header.get("NAXIS", 0))
    bitpix = int(header["BITPIX"])
    if dimensions not in (1, 2) or bitpix not in _DTYPES:
        return None
    rows = int(header["NAXIS2"]) if dimensions == 2 else 1
    columns = int(header["NAXIS1"])
    if rows < 1 or columns < 1:
        return None
    scale, zero = number_of(header.get("BSCALE", 1.0)), number_of(header.get("BZERO", 0.0))
    # astropy takes BSCALE and BZERO out of a header that it has read; it keeps the originals itself.
    scale = float(getattr(hdu, "_orig_bscale", scale if scale is not None else 1.0))
    zero = float(getattr(hdu, "_orig_bzero", zero if zero is not None else 0.0))
    return Plane(int(hdu.fileinfo()["datLoc"]), bitpix, rows, columns, scale, zero)


def _fibre_rows(hdu: Any) -> tuple[FibreRow, ...]:
    table = hdu.data
    names = {name.upper(): name for name in hdu.columns.names}

    def column(name: str) -> list[Any]:
        return table[names[name]].tolist() if name in names else [None] * len(table)

    columns = zip(
        *(column(name) for name in ("NAME", "TYPE", "PIVOT", "RA", "DEC", "MAGNITUDE")), strict=True
    )
    return tuple(
        FibreRow(
            fibre=index,
            name=text_of(name)[:80],
            type=text_of(kind)[:1].upper(),
            pivot=None if pivot is None else int(pivot),
            ra=_degrees(ra),
            dec=_degrees(dec),
            magnitude=number_of(magnitude),
        )
        for index, (name, kind, pivot, ra, dec, magnitude) in enumerate(columns, start=1)
    )


def text_of(value: Any) -> str:
    """What a header or table says, as one line that can be printed."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value if value is not None else "")
    return "".join(char if char.isprintable() else " " for char in text).strip()


def number_of(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _degrees(radians: Any) -> float | None:
    number = number_of(radians)
    return None if number is None else math.degrees(number)
