"""Where on the read-out array the light and the overscan are."""

from __future__ import annotations

from dataclasses import dataclass

from astropy.io import fits

from quicklook.errors import UnsupportedFrame
from quicklook.headers import card_value, text

N_ROWS = 4098
N_COLUMNS = 2048
N_OVERSCAN = 22


@dataclass(frozen=True)
class Windows:
    """The parts of a raw array, as column slices over all rows.

    Attributes
    ----------
    data, overscan : slice
        0-based columns of the light and of the overscan.
    first_row : int
        Detector row (1-based) of the array's first row.
    """

    data: slice
    overscan: slice
    first_row: int


def find_windows(header: fits.Header, shape: tuple[int, ...]) -> Windows:
    """Find data and overscan in an AAOmega read-out.

    The header gives detector coordinates (data 1-2048, overscan 2053-2074), but the four columns between
    them are not stored: the array is data and overscan side by side.

    Parameters
    ----------
    header : fits.Header
        Raw primary header.
    shape : tuple of int
        Shape of the raw array (rows, columns).

    Raises
    ------
    UnsupportedFrame
        When the read-out is binned or windowed, or is no full AAOmega frame.
    """
    window = text(header, "WINDOW", "")
    if "BIN" in window.upper().replace("COMBIN", ""):
        raise UnsupportedFrame(
            f"the read-out is binned (WINDOW = {window}); quicklook reduces full unbinned frames only"
        )
    for key in ("XEFFSIZE", "YEFFSIZE"):
        effective, physical = card_value(header, key), card_value(header, key[0] + "PIXSIZE")
        if isinstance(effective, int | float) and isinstance(physical, int | float) and effective > physical:
            raise UnsupportedFrame(
                f"the read-out is binned ({key} = {effective:g} micron for {physical:g} micron pixels); "
                "quicklook reduces full unbinned frames only"
            )
    if shape != (N_ROWS, N_COLUMNS + N_OVERSCAN):
        size = " x ".join(str(n) for n in reversed(shape))
        raise UnsupportedFrame(
            f"the array is {size} pixels where a full AAOmega read-out is "
            f"{N_COLUMNS + N_OVERSCAN} x {N_ROWS}; it is windowed, binned or from another detector"
        )
    for key, whole in (("WINDOXS1", 1), ("WINDOXE1", N_COLUMNS)):
        value = card_value(header, key)
        if isinstance(value, int | float) and value != whole:
            raise UnsupportedFrame(
                f"the read-out is windowed ({key} = {value:g}, a full one has {whole}); "
                "quicklook reduces full frames only"
            )
    first = card_value(header, "WINDOYS1")
    return Windows(
        data=slice(0, N_COLUMNS),
        overscan=slice(N_COLUMNS, N_COLUMNS + N_OVERSCAN),
        first_row=int(first) if isinstance(first, int) and 1 <= first <= 5 else 1,
    )
