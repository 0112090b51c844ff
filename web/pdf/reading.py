"""What paper shows of a product, read from its file alone: so a file from anywhere can be printed."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from paws.errors import InvalidInputError
from paws.signal import Floats as Ratios
from paws.signal import allowing_for, of_pixels
from web.spectra import FibreRow, SpectraLayout, layout_of

Floats = NDArray[np.float32]

_NM_TO_ANGSTROM = 10.0
_LARGEST = 30_000_000
"""Samples of a product that are still printed: three times those of the largest combined and spliced frame."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A product as it is printed.

    Attributes
    ----------
    name
        Of the file.
    header
        Cards of the primary header: printable text and finite numbers.
    history
        Its HISTORY.
    axis
        ``wavelength`` (Angstrom in air) or ``pixel``.
    low, high : float
        Ends of the axis: outer edges of the first and last sample.
    flux : ndarray (fibres, samples)
        On an even axis.
    sigma : ndarray (fibres, samples) or None
    plate : ndarray (fibres, 2)
        Where each fibre is on the plate, mm; NaN where the table does not say.
    signal_to_noise : ndarray (fibres,)
        Median, per Angstrom (per pixel without wavelengths), as `paws.signal` has it; NaN where there is none.
    filled : ndarray of bool (fibres,)
        Whether there is anything in a fibre's spectrum.
    """

    name: str
    header: dict[str, Any]
    history: tuple[str, ...]
    axis: str
    unit: str
    low: float
    high: float
    flux: Floats
    sigma: Floats | None
    fibres: tuple[FibreRow, ...]
    plate: NDArray[np.float64]
    signal_to_noise: NDArray[np.float64]
    filled: NDArray[np.bool_]

    @property
    def waves(self) -> NDArray[np.float64]:
        """Centres of the samples."""
        samples = self.flux.shape[1]
        step = (self.high - self.low) / samples
        return np.linspace(self.low + step / 2, self.high - step / 2, samples)

    def card(self, name: str) -> str:
        """A card as text; empty when there is none."""
        value = self.header.get(name, "")
        return f"{value:.10g}" if isinstance(value, float) else str(value)


def read_sheet(path: Path) -> Sheet:
    """Read a product.

    Raises
    ------
    InvalidInputError
        If it is missing, damaged, too large, or holds no spectra of fibres.
    """
    layout = layout_of(path)
    if layout.data.rows * layout.data.columns > _LARGEST:
        raise InvalidInputError(f"{path.name} is too large to be printed.")
    try:
        flux = layout.data.all(path)
        sigma = _sigma(layout, path, flux.shape)
        header, history, plate = _tables(path, len(layout.fibres))
        low, high, flux, sigma = _even(layout, path, flux, sigma)
    except (OSError, ValueError, TypeError, KeyError, fits.VerifyError) as error:
        raise InvalidInputError(f"{path.name} cannot be read as a reduced frame: {error}") from error
    per = (high - low) / flux.shape[1] if layout.axis == "wavelength" else 1.0
    with np.errstate(invalid="ignore"):
        filled = (np.isfinite(flux) & (flux != 0)).any(axis=1)
    return Sheet(
        name=path.name,
        header=header,
        history=history,
        axis=layout.axis,
        unit=layout.unit,
        low=low,
        high=high,
        flux=flux,
        sigma=sigma,
        fibres=layout.fibres,
        plate=plate,
        signal_to_noise=np.where(filled, signal_to_noise(layout, flux, sigma, per), np.nan),
        filled=filled,
    )


def signal_to_noise(layout: SpectraLayout, flux: Floats, sigma: Floats | None, step: float) -> Ratios:
    """Median signal to noise per unit of the axis of each spectrum, as `paws.signal` has it; NaN where there is none."""
    if sigma is None:
        return np.full(len(flux), np.nan)
    ratios = of_pixels(flux, sigma, step)
    if layout.axis != "wavelength":
        return ratios
    return allowing_for(layout.quoted, ratios, np.array([fibre.type == "P" for fibre in layout.fibres]))


def _sigma(layout: SpectraLayout, path: Path, shape: tuple[int, ...]) -> Floats | None:
    if layout.variance is None:
        return None
    variance = layout.variance.all(path)
    with np.errstate(invalid="ignore"):
        sigma = np.sqrt(np.where(variance >= 0, variance, np.float32(np.nan)))
    return np.broadcast_to(sigma, shape)


def _even(
    layout: SpectraLayout, path: Path, flux: Floats, sigma: Floats | None
) -> tuple[float, float, Floats, Floats | None]:
    """Spectra on an even axis that rises, with its ends."""
    samples = flux.shape[1]
    if layout.waves is None:
        start, step = layout.start or 0.0, layout.step or 1.0
        low, high = start - step / 2, start + (samples - 0.5) * step
        if low < high:
            return low, high, flux, sigma
        return high, low, flux[:, ::-1], None if sigma is None else sigma[:, ::-1]
    waves = np.broadcast_to(layout.waves.all(path) * _NM_TO_ANGSTROM, flux.shape)
    known = np.isfinite(waves) & (waves > 0)
    if not known.any():
        return 0.5, samples + 0.5, flux, sigma
    low, high = float(waves[known].min()), float(waves[known].max())
    # To the nearest sample: every fibre has its own axis, which differ by little.
    grid = low + (np.arange(samples) + 0.5) * ((high - low) / samples)
    even = np.full(flux.shape, np.nan, np.float32)
    even_sigma = None if sigma is None else np.full(flux.shape, np.nan, np.float32)
    for index in range(len(flux)):
        places = np.flatnonzero(known[index])
        if len(places) < 2:
            continue
        order = places[np.argsort(waves[index, places])]
        nearest = np.rint(np.interp(grid, waves[index, order], np.arange(len(order)), -1, -1)).astype(int)
        inside = nearest >= 0
        even[index, inside] = flux[index, order[nearest[inside]]]
        if even_sigma is not None and sigma is not None:
            even_sigma[index, inside] = sigma[index, order[nearest[inside]]]
    return low, high, even, even_sigma


def _tables(path: Path, fibres: int) -> tuple[dict[str, Any], tuple[str, ...], NDArray[np.float64]]:
    """Header, history, and plate positions in mm."""
    plate = np.full((fibres, 2), np.nan)
    with (
        warnings.catch_warnings(action="ignore"),
        path.open("rb") as stream,
        fits.open(stream, memmap=False) as hdus,
    ):
        header = {
            str(card.keyword): _plain(card.value)
            for card in hdus[0].header.cards
            if card.keyword not in ("", "COMMENT", "HISTORY")
        }
        history = tuple(_plain(line) for line in hdus[0].header.get("HISTORY", ()))
        for hdu in hdus:
            if isinstance(hdu, fits.BinTableHDU) and (hdu.name or "").upper().rsplit(".", 1)[-1] == "FIBRES":
                names = {name.upper(): name for name in hdu.columns.names}
                for place, column in enumerate("XY"):
                    if column in names:
                        values = np.asarray(hdu.data[names[column]], dtype=np.float64)[:fibres] / 1000.0
                        plate[: len(values), place] = values
    return header, history, plate


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    return "".join(char if char.isprintable() else " " for char in str(value)).strip()
