"""Whether the two arms of an exposure can be joined."""

from __future__ import annotations

import re

from schemas.frames import Frame

PIXELS = 2048
"""Spectral pixels of a detector."""
DISPERSION_LINES = 600.0
"""Dispersion times grating ruling (Angstrom/pixel x lines/mm), about the same for all AAOmega gratings:
385R has 1.57, 580V 1.03, 1000R 0.57 Angstrom/pixel."""
WIDEST_GAP = 300.0
"""Gap between the arms (Angstrom) above which they are not joined."""

_RULING = re.compile(r"^(\d{3,4})")


def half_range(grating: str) -> float | None:
    """Half the wavelength range (Angstrom) that a grating gives, from the ruling in its name."""
    found = _RULING.match(grating)
    return PIXELS / 2 * DISPERSION_LINES / int(found[1]) if found else None


def why_not_spliced(blue: Frame, red: Frame) -> str | None:
    """Why the arms of an exposure are not joined, or None.

    Ranges are predicted from ruling and central wavelength; where they cannot be, the arms are joined.
    """
    if blue.fibre_key != red.fibre_key:
        return "the arms name different fibre configurations"
    blue_half, red_half = half_range(blue.grating), half_range(red.grating)
    if not (blue_half and red_half and blue.central_wavelength and red.central_wavelength):
        return None
    gap = (red.central_wavelength - red_half) - (blue.central_wavelength + blue_half)
    if gap > WIDEST_GAP:
        return f"a gap of about {gap:.0f} Angstrom lies between the arms"
    return None
