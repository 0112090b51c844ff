"""From the arrays of a product to a row for every spectrum. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.tap_ingest.values import declination, number, real, right_ascension, small
from paws import signal

SPECTRUM_TYPES = ("P", "S")
"""Fibre types that have a spectrum worth a row: programme targets and sky. Guides, unused and broken have none."""

PLACING = ("X", "Y", "THETA", "PID", "PMRA", "PMDEC")
"""Columns of the fibre table that tell where a fibre was put, and of what programme and motion its target is."""

SECONDS_A_DAY = 86400.0
_WIDEST_ARM = 2200
"""Pixels; the detector has 2048, and what is wider than this was spliced."""

_LONGEST_UNIT = 40

_LINE_WIDTH_PIXELS = 3.4
"""Width of an unresolved line in a symmetric set-up, pixel: the fibre's image on the detector."""


@dataclass(frozen=True)
class ProductArrays:
    """What is read of a product.

    Attributes
    ----------
    data, variance : ndarray (fibres, pixels)
        NaN where there is no value.
    header
        Cards of the primary header.
    name, kind : sequence of str (fibres,)
        Target name and fibre type.
    ra, dec : ndarray (fibres,)
        Radians, as 2dF writes them.
    pivot, magnitude : ndarray (fibres,)
    placing : mapping of str to ndarray (fibres,)
        Further numbers of the fibre table, by `PLACING`; NaN where it has none.
    retractor, comment : sequence of str (fibres,)
    """

    data: NDArray[np.floating]
    variance: NDArray[np.floating]
    header: Mapping[str, Any]
    name: list[str]
    kind: list[str]
    ra: NDArray[np.floating]
    dec: NDArray[np.floating]
    pivot: NDArray[np.floating]
    magnitude: NDArray[np.floating]
    placing: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    retractor: Sequence[str] = ()
    comment: Sequence[str] = ()


@dataclass(frozen=True)
class Exposure:
    """Start (MJD, UTC) and length (s) of a raw frame that went into a product."""

    utmjd: float
    exposed: float


@dataclass(frozen=True)
class SpectrumRow:
    """A row of the table ``spectrum``. Positions in degrees, wavelengths in Angstrom in air, flux in the product's unit."""

    fibre: int
    target_name: str
    fibre_type: str
    pivot: int | None
    ra: float | None
    dec: float | None
    magnitude: float | None
    wavelength_min: float
    wavelength_max: float
    wavelength_step: float
    resolving_power: float | None
    signal_to_noise: float | None
    exposed: float
    mjd_start: float
    mjd_end: float
    flux: float | None


def spectrum_rows(
    product: ProductArrays, exposures: Iterable[Exposure], figures: object = None
) -> list[SpectrumRow]:
    """Rows for the spectra of a product: of targets and sky, where there is any value at all.

    Parameters
    ----------
    figures
        The reducer's figure ``snr``, if there is one.

    Raises
    ------
    ValueError
        If the header has no wavelength scale, or the product comes of no exposure.
    """
    taken = sorted(exposures, key=lambda item: item.utmjd)
    if not taken:
        raise ValueError("the product comes of no known exposure")
    start, step = wavelength_scale(product.header)
    finite = np.isfinite(product.data)
    ratios = signal_to_noise(product, step, figures)
    flux = signal.row_medians(product.data)
    any_value = finite.any(axis=1)
    first = finite.argmax(axis=1)
    last = finite.shape[1] - 1 - finite[:, ::-1].argmax(axis=1)
    mjd_start = taken[0].utmjd
    mjd_end = max(item.utmjd + item.exposed / SECONDS_A_DAY for item in taken)
    # The header has what 2dFdr summed. Both arms of an exposure start together and count once.
    exposed = number(product.header.get("EXPOSED")) or sum(
        {item.utmjd: item.exposed for item in taken}.values()
    )
    rows: list[SpectrumRow] = []
    for i, kind in enumerate(product.kind):
        if kind not in SPECTRUM_TYPES or not any_value[i]:
            continue
        low, high = start + step * float(first[i]), start + step * float(last[i])
        rows.append(
            SpectrumRow(
                fibre=i + 1,
                target_name=product.name[i],
                fibre_type=kind,
                pivot=small(product.pivot[i]),
                ra=right_ascension(product.ra[i]),
                dec=declination(product.dec[i]),
                magnitude=real(product.magnitude[i]),
                wavelength_min=low,
                wavelength_max=high,
                wavelength_step=step,
                resolving_power=resolving_power(product.header, (low + high) / 2, step),
                signal_to_noise=real(ratios[i]),
                exposed=exposed,
                mjd_start=mjd_start,
                mjd_end=mjd_end,
                flux=real(flux[i]),
            )
        )
    return rows


def flux_unit(product: ProductArrays) -> str:
    """Unit of the spectra as the header has it; empty when it has none."""
    text = str(product.header.get("BUNIT") or "").strip()
    return "".join(char for char in text if " " <= char <= "~")[:_LONGEST_UNIT]


def wavelength_scale(header: Mapping[str, Any]) -> tuple[float, float]:
    """Wavelength at the centre of the first pixel, and step, Angstrom.

    Raises
    ------
    ValueError
        If the header has none.
    """
    value, pixel, step = (number(header.get(name)) for name in ("CRVAL1", "CRPIX1", "CDELT1"))
    if value is None or pixel is None or not step or step < 0:
        raise ValueError("the header has no wavelength scale (CRVAL1, CRPIX1, CDELT1)")
    return value + (1.0 - pixel) * step, step


def signal_to_noise(product: ProductArrays, step: float, figures: object = None) -> signal.Floats:
    """Median signal to noise per Angstrom of each spectrum: the reducer's, else measured (`paws.signal`).

    Parameters
    ----------
    step : float
        Angstrom per pixel.
    figures
        The reducer's figure ``snr``, if there is one.
    """
    told = signal.recorded(figures, len(product.data))
    if told is not None:
        return told
    with np.errstate(invalid="ignore"):
        ratios = signal.of_pixels(product.data, np.sqrt(product.variance), step)
    return signal.allowing_for(product.header.get(signal.QUOTED), ratios, np.array(product.kind) == "P")


def resolving_power(header: Mapping[str, Any], wavelength: float, step: float) -> float | None:
    """Resolving power at a wavelength, from the grating's angles; None for spliced spectra, which have two.

    Notes
    -----
    An unresolved line is 3.4 pixels wide where collimator and camera see the grating at equal angles, times
    cos(gamma)/cos(beta) elsewhere.
    """
    gamma, camera = number(header.get("GRATANGL")), number(header.get("CAMANGL"))
    pixels = number(header.get("NAXIS1")) or 0.0
    if gamma is None or camera is None or pixels > _WIDEST_ARM:
        return None
    beta = camera - gamma
    width = _LINE_WIDTH_PIXELS * math.cos(math.radians(gamma)) / math.cos(math.radians(beta)) * step
    return round(wavelength / width, 1) if width > 0 else None
