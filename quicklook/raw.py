"""Read a raw 2dF+AAOmega frame, refusing with a reason what cannot be reduced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from quicklook.errors import InvalidInput, UnsupportedFrame
from quicklook.fibres import FibreTable, find_fibres
from quicklook.geometry import Windows, find_windows
from quicklook.headers import number, text
from quicklook.products import find_class, open_fits

FIBRE_CLASSES = frozenset({"MFFFF", "MFARC", "MFSKY", "MFOBJECT", "MFFLX", "SFLAT"})
DETECTOR_CLASSES = frozenset({"BIAS", "DARK", "LFLAT", "DFLAT"})

_CLASS_OF_OBSTYPE = {
    "OBJECT": "MFOBJECT",
    "ARC": "MFARC",
    "FLAT": "MFFFF",
    "SKY": "MFSKY",
    "BIAS": "BIAS",
    "DARK": "DARK",
}


@dataclass(frozen=True, eq=False)
class RawFrame:
    """A raw frame as read.

    Attributes
    ----------
    path : Path
    data : ndarray of uint16 (4098, 2070)
        ADU, overscan columns on the right.
    header : fits.Header
        Raw primary header.
    fibres : FibreTable or None
    ndf_class : str
        Class such as ``MFOBJECT``.
    arm : str
        ``blue`` or ``red``.
    gain : float
        Electrons per ADU.
    read_noise : float
        Electrons.
    exposure : float
        Seconds.
    windows : Windows
    """

    path: Path
    data: NDArray[np.uint16]
    header: fits.Header
    fibres: FibreTable | None
    ndf_class: str
    arm: str
    gain: float
    read_noise: float
    exposure: float
    windows: Windows


def read_raw(path: str | Path) -> RawFrame:
    """Read a raw frame and check what every later step relies on.

    Raises
    ------
    InvalidInput
        When the file is missing, truncated or not FITS, is not a raw frame, or lacks keywords.
    UnsupportedFrame
        When it is sound but binned, windowed or from another instrument.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        primary = hdus[0]
        header = primary.header
        instrument = text(header, "INSTRUME", "").upper()
        if not instrument.startswith("AAOMEGA"):
            raise UnsupportedFrame(
                f"INSTRUME is {instrument or 'absent'}; quicklook reduces AAOMEGA-2dF frames only"
            )
        if instrument not in ("AAOMEGA-2DF", "AAOMEGA"):
            raise UnsupportedFrame(
                f"INSTRUME is {instrument}, an integral-field unit; quicklook reduces AAOMEGA-2dF frames only"
            )
        if header.get("BITPIX") != 16:
            raise InvalidInput(
                f"BITPIX is {header.get('BITPIX')} where a raw frame has 16; is this already reduced?"
            )
        data = primary.data
        if data is None or data.ndim != 2:
            raise InvalidInput("the first HDU holds no two-dimensional image")
        windows = find_windows(header, data.shape)
        if data.dtype != np.uint16:
            data = _as_unsigned(data)
        ndf_class = _class(hdus)
        fibres = find_fibres(hdus)
        if fibres is None and ndf_class in FIBRE_CLASSES:
            raise InvalidInput(f"a {ndf_class} frame without a FIBRES table cannot be reduced")
        return RawFrame(
            path=path,
            data=np.ascontiguousarray(data, dtype=np.uint16),
            header=header.copy(),
            fibres=fibres,
            ndf_class=ndf_class,
            arm=_arm(header),
            gain=number(header, "RO_GAIN", low=0.05, high=50.0),
            read_noise=number(header, "RO_NOISE", low=0.0, high=200.0),
            exposure=number(header, "EXPOSED", low=0.0, high=1e5),
            windows=windows,
        )


def _as_unsigned(data: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Turn signed or scaled counts into unsigned ones; counts that cannot be such are refused."""
    values = np.asarray(data, dtype=np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        raise InvalidInput(
            "raw counts lie outside 0 to 65535; a raw AAOmega frame is unsigned (BZERO = 32768)"
        )
    return np.rint(values).astype(np.uint16)


def _class(hdus: fits.HDUList) -> str:
    found = find_class(hdus)
    if not found:
        found = _CLASS_OF_OBSTYPE.get(text(hdus[0].header, "OBSTYPE", "").upper(), "")
    if not found:
        raise InvalidInput("neither NDFCLASS nor OBSTYPE says what kind of frame this is")
    if found not in FIBRE_CLASSES | DETECTOR_CLASSES:
        raise UnsupportedFrame(f"quicklook does not reduce frames of class {found}")
    return "LFLAT" if found == "DFLAT" else found


def _arm(header: fits.Header) -> str:
    spectrograph = text(header, "SPECTID", "").upper()
    if spectrograph in ("BL", "RD"):
        return "blue" if spectrograph == "BL" else "red"
    raise InvalidInput(f"SPECTID is {spectrograph or 'absent'}; it must be BL or RD to tell the arm")
