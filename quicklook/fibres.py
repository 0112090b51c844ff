"""The fibre table of a frame: what each slit position carried, read by column name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from quicklook.errors import InvalidInput

N_FIBRES = 400
"""Slit positions of 2dF+AAOmega, guides included."""

LIT_TYPES = frozenset("PS")


@dataclass(frozen=True, eq=False)
class FibreTable:
    """What each of the 400 slit positions carried.

    Row ``i`` is slit position ``i + 1``, counted from the bottom of the chip: the same row as in every
    extracted array.

    Attributes
    ----------
    name : ndarray of str (400,)
        Object names, stripped.
    ra, dec : ndarray of float64 (400,)
        J2000 position [radian], NaN where absent.
    type : ndarray of str (400,)
        Codes ``P`` object, ``S`` sky, ``F`` guide, ``U`` unallocated, ``N``/``D`` not in use; ``?`` unknown.
    pivot : ndarray of int (400,)
        2dF pivot number; 0 where absent.
    magnitude : ndarray of float64 (400,)
        Catalogue magnitude, NaN where absent.
    comment : ndarray of str (400,)
        Comments of the field file.
    hdu : astropy.io.fits.BinTableHDU
        The table as found, so that products carry it unchanged.
    """

    name: NDArray[np.str_]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    type: NDArray[np.str_]
    pivot: NDArray[np.int64]
    magnitude: NDArray[np.float64]
    comment: NDArray[np.str_]
    hdu: fits.BinTableHDU

    @property
    def lit_in_flat(self) -> NDArray[np.bool_]:
        """Positions that must show light in a flat (P, S)."""
        return np.isin(self.type, sorted(LIT_TYPES))

    @property
    def live_in_science(self) -> NDArray[np.bool_]:
        """Positions whose spectra mean something in a science frame (P, S)."""
        return np.isin(self.type, sorted(LIT_TYPES))

    @property
    def sky(self) -> NDArray[np.bool_]:
        """Positions on blank sky (S)."""
        return np.asarray(self.type == "S")

    @property
    def objects(self) -> NDArray[np.bool_]:
        """Positions on a target (P)."""
        return np.asarray(self.type == "P")


def find_fibres(hdus: fits.HDUList) -> FibreTable | None:
    """Find and read the fibre table of an open file.

    The extension is ``STRUCT.MORE.FIBRES`` in raw frames and ``FIBRES`` in products; any name whose last
    component is ``FIBRES`` or ``FIBRES_IFU`` counts.

    Returns
    -------
    FibreTable or None
        None when there is no such extension (biases, darks and long-slit flats may have none).

    Raises
    ------
    InvalidInput
        When the table is there but cannot be used (no TYPE column, not 400 rows, unreadable).
    """
    for hdu in hdus[1:]:
        if isinstance(hdu, fits.BinTableHDU) and _last_component(hdu.name) in ("FIBRES", "FIBRES_IFU"):
            return read_fibres(hdu)
    return None


def read_fibres(hdu: fits.BinTableHDU) -> FibreTable:
    """Read a fibre table by column name; see `find_fibres`."""
    try:
        rows = hdu.data
        columns = {str(c).upper(): str(c) for c in rows.dtype.names or ()}
    except Exception as error:  # astropy raises many kinds on damaged tables
        raise InvalidInput(
            f"the fibre table {hdu.name} cannot be read ({error}); copy the frame from the archive again"
        ) from error
    if len(rows) != N_FIBRES:
        raise InvalidInput(f"the fibre table {hdu.name} has {len(rows)} rows where 2dF has {N_FIBRES}")
    if "TYPE" not in columns:
        raise InvalidInput(f"the fibre table {hdu.name} has no TYPE column, so no fibre can be told from sky")

    def text(column: str) -> NDArray[np.str_]:
        if column not in columns:
            return np.full(N_FIBRES, "")
        return np.array([_clean(v) for v in rows[columns[column]]])

    def number(column: str) -> NDArray[np.float64]:
        if column not in columns:
            return np.full(N_FIBRES, np.nan)
        try:
            values = np.array(rows[columns[column]], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"column {column} of the fibre table {hdu.name} does not hold numbers"
            ) from error
        if values.shape != (N_FIBRES,):
            raise InvalidInput(f"column {column} of the fibre table {hdu.name} has shape {values.shape}")
        return values

    codes = np.array([(t[:1].upper() or "?") for t in text("TYPE")])
    pivot = number("PIVOT")
    sound = np.isfinite(pivot) & (np.abs(pivot) < 1e6)
    return FibreTable(
        name=text("NAME"),
        ra=number("RA"),
        dec=number("DEC"),
        type=codes,
        pivot=np.where(sound, pivot, 0).astype(np.int64),
        magnitude=number("MAGNITUDE"),
        comment=text("COMMENT"),
        hdu=hdu.copy(),
    )


def _last_component(name: str) -> str:
    return name.upper().replace("/", ".").rsplit(".", 1)[-1]


def _clean(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return "".join(c for c in str(value) if c.isprintable()).strip()
