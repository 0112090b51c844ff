"""Products read as other people's programs read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits


@dataclass(frozen=True)
class MarzSpectrum:
    """A spectrum as Marz holds it."""

    name: str
    ra: float
    dec: float
    wavelength: np.ndarray
    intensity: np.ndarray
    variance: np.ndarray
    sky: np.ndarray | None


def read_as_marz(path: Path) -> list[MarzSpectrum]:
    """Read a product by the rules of Marz: extensions by name, program fibres only, radians."""
    with fits.open(path) as hdus:
        named = {hdu.name.lower(): hdu for hdu in hdus}
        primary = named.get("intensity", hdus[0])
        header = primary.header
        intensity = np.atleast_2d(primary.data)
        variance = np.atleast_2d(named["variance"].data)
        sky = np.atleast_2d(named["sky"].data) if "sky" in named else None
        table = named["fibres"].data
        pixels = np.arange(1, intensity.shape[1] + 1)
        wavelength = (pixels - header["CRPIX1"]) * header["CDELT1"] + header["CRVAL1"]
        found = []
        for row, kind in enumerate(table["TYPE"]):
            if str(kind).strip() != "P":
                continue
            flux = intensity[row].astype(float)
            usable = np.isfinite(flux) & (flux > -1e4) & (flux < 1e6)
            if usable.mean() < 0.1:
                continue
            found.append(
                MarzSpectrum(
                    str(table["NAME"][row]).strip(),
                    float(np.degrees(table["RA"][row])),
                    float(np.degrees(table["DEC"][row])),
                    wavelength,
                    flux,
                    variance[row].astype(float),
                    None if sky is None else sky[min(row, len(sky) - 1)].astype(float),
                )
            )
        for keyword in ("UTMJD", "LONG_OBS", "LAT_OBS", "ALT_OBS", "EPOCH", "RADECSYS"):
            assert keyword in header, f"{path.name} lacks {keyword}, which Marz reads"
        return found
