"""Reading products. Blocking: to be called off the event loop."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from agents.tap_ingest.service import PLACING, ProductArrays
from paws.errors import PermanentError
from paws.signal import QUOTED

_CARDS = ("CRVAL1", "CRPIX1", "CDELT1", "NAXIS1", "EXPOSED", "GRATANGL", "CAMANGL", "BUNIT", QUOTED)
_LONGEST_TEXT = 200
"""Characters of a text that are believed; 2dF writes 80."""


class UnreadableProductError(PermanentError):
    """A registered product cannot be read any more."""

    code = "unreadable_product"


def read_arrays(path: Path) -> ProductArrays:
    """What is needed of a product of spectra.

    Raises
    ------
    UnreadableProductError
        If the file is gone, damaged, or no product of spectra. It is no error that passes by itself, and must
        not hold up the products that come after it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(path, memmap=True, ignore_missing_simple=False) as hdus:
                table = hdus["FIBRES"].data
                header = hdus[0].header
                return ProductArrays(
                    data=_native(hdus[0].data),
                    variance=_native(hdus["VARIANCE"].data),
                    header={name: header[name] for name in _CARDS if name in header},
                    name=[_text(value) for value in table["NAME"]],
                    kind=[_text(value).upper() for value in table["TYPE"]],
                    ra=_native(table["RA"]),
                    dec=_native(table["DEC"]),
                    pivot=_column(table, "PIVOT"),
                    magnitude=_column(table, "MAGNITUDE"),
                    placing={name: _column(table, name) for name in PLACING},
                    retractor=_texts(table, "RETRACTOR"),
                    comment=_texts(table, "COMMENT"),
                )
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, fits.VerifyError) as error:
        raise UnreadableProductError(
            f"{path} cannot be read ({' '.join(str(error).split())[:200]}). Reprocess the frames it is made of.",
            path=str(path),
        ) from error


def _native(array: Any) -> NDArray[np.floating]:
    return np.asarray(array, dtype=np.dtype(array.dtype).newbyteorder("="))


def _column(table: Any, name: str) -> NDArray[np.floating]:
    if name not in table.names:
        return np.full(len(table), np.nan)
    return np.asarray(table[name], dtype=np.float64)


def _texts(table: Any, name: str) -> list[str]:
    if name not in table.names:
        return [""] * len(table)
    return [_text(value) for value in table[name]]


def _text(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return "".join(char for char in text if char.isprintable()).strip()[:_LONGEST_TEXT]
