"""Reading products for comparison. Knows files only, no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from paws.errors import InvalidInputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Spectra:
    """Content of a product.

    Attributes
    ----------
    flux
        (fibres, pixels); what is not known is NaN.
    variance
        Like `flux`, or None.
    wavelength
        (pixels,), Angstrom; None where the product has no linear scale.
    fibre_types
        One letter a fibre as 2dFdr has it (P target, S sky, F guide, N not used, U broken); empty if unknown.
    engine_seconds
        How long the engine took, 0 if unknown.
    """

    flux: Array
    variance: Array | None
    wavelength: Array | None
    fibre_types: tuple[str, ...] = ()
    engine_seconds: float = 0.0

    @property
    def fibres(self) -> int:
        """Number of rows."""
        return int(self.flux.shape[0])


class UnreadableProductError(InvalidInputError):
    """A product cannot be read."""

    code = "unreadable_product"


def read_spectra(path: Path) -> Spectra:
    """Read a product.

    Raises
    ------
    UnreadableProductError
        If it is no two-dimensional FITS image.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            flux = _plane(hdus[0].data)
            header = hdus[0].header
            variance = _plane(hdus["VARIANCE"].data) if "VARIANCE" in hdus else None
            return Spectra(
                flux=flux,
                variance=variance if variance is not None and variance.shape == flux.shape else None,
                wavelength=_scale(header, flux.shape[1]),
                fibre_types=_types(hdus, flux.shape[0]),
                engine_seconds=float(header.get("PAWSSEC") or 0.0),
            )
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise UnreadableProductError(
            f"{path} cannot be read as a product: {error}.", path=str(path)
        ) from error


def _plane(data: object) -> Array:
    plane = np.asarray(data, dtype=np.float64)
    if plane.ndim != 2 or 0 in plane.shape:
        raise ValueError(f"its image has shape {plane.shape}")
    plane[~np.isfinite(plane)] = np.nan
    return plane


def _scale(header: fits.Header, pixels: int) -> Array | None:
    try:
        start, step = float(header["CRVAL1"]), float(header.get("CDELT1", header.get("CD1_1", 0.0)))
        reference = float(header.get("CRPIX1", 1.0))
    except (KeyError, TypeError, ValueError):
        return None
    if not (np.isfinite([start, step, reference]).all() and step > 0 and start > 1000):
        return None
    return np.asarray(start + (np.arange(1, pixels + 1) - reference) * step, dtype=np.float64)


def _types(hdus: Sequence[fits.hdu.base.ExtensionHDU], fibres: int) -> tuple[str, ...]:
    for hdu in hdus[1:]:
        columns = {name.upper(): name for name in getattr(getattr(hdu, "columns", None), "names", ())}
        if "TYPE" in columns and len(hdu.data) == fibres:
            return tuple(str(value).strip()[:1].upper() for value in hdu.data[columns["TYPE"]])
    return ()
