"""Frames that must be refused with a reason: a sound raw frame, doctored into what cannot be reduced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from paws.bench.field import Reducer

REFUSED = 2
"""Status with which the reducer refuses its input."""


def _binned(hdus: fits.HDUList) -> None:
    data = hdus[0].data
    rows, columns = (n // 2 for n in data.shape)
    blocks = data[: 2 * rows, : 2 * columns].astype(np.uint32).reshape(rows, 2, columns, 2)
    hdus[0].data = np.minimum(blocks.sum(axis=(1, 3)), 65535).astype(np.uint16)
    hdus[0].header["WINDOW"] = "AAOMEGA_BIN2"
    hdus[0].header["XEFFSIZE"] = hdus[0].header["YEFFSIZE"] = 30.0


def _binned_silently(hdus: fits.HDUList) -> None:
    _binned(hdus)
    hdus[0].header["WINDOW"] = "AAOMEGA_2DF"
    hdus[0].header["XEFFSIZE"] = hdus[0].header["YEFFSIZE"] = 15.0


def _windowed(hdus: fits.HDUList) -> None:
    hdus[0].data = hdus[0].data[1000:3000].copy()
    hdus[0].header["WINDOYS1"], hdus[0].header["WINDOYE1"] = 1001, 3000


def _of_another_size(hdus: fits.HDUList) -> None:
    hdus[0].data = np.ascontiguousarray(hdus[0].data.T)


def _of_another_instrument(hdus: fits.HDUList) -> None:
    hdus[0].header["INSTRUME"] = "HERMES-2dF"


def _already_reduced(hdus: fits.HDUList) -> None:
    hdus[0].data = hdus[0].data.astype(np.float32)


def _overscan_lost(hdus: fits.HDUList) -> None:
    hdus[0].data[:, 2048:] = 65535


DOCTORED: dict[str, Callable[[fits.HDUList], None]] = {
    "binned": _binned,
    "binned, header silent": _binned_silently,
    "windowed": _windowed,
    "turned by 90 degrees": _of_another_size,
    "another instrument": _of_another_instrument,
    "already reduced": _already_reduced,
    "overscan saturated": _overscan_lost,
}


def refusals(reducer: Reducer, place: Path, folder: Path) -> list[dict[str, object]]:
    """Hand each doctored frame to the reducer.

    Parameters
    ----------
    reducer : Reducer
    place : Path
        A simulated field, whose first frame is doctored.
    folder : Path
        Where doctored frames go.

    Returns
    -------
    list of dict
        ``condition``, ``refused`` (bool) and ``reason``, the last words of the reducer's log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frame = min(place.glob("raw/*/ccd_?/*[0-9].fits"))
    found: list[dict[str, object]] = []
    for name, doctor in DOCTORED.items():
        target = folder / frame.name
        with fits.open(frame, memmap=False) as hdus:
            doctor(hdus)
            hdus.writeto(target, overwrite=True)
        status, log = reducer.attempt(folder, "reduce_bias", target.name)
        last = log.splitlines()[-1] if log.strip() else ""
        reason = last.partition("Error: ")[2] or last
        clear = status == REFUSED and "Error: " in last and "internal fault" not in last
        found.append({"condition": name, "refused": clear, "reason": reason})
    return found
