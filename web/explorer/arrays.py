"""Spectra on the wire: a short JSON header, then arrays as the browser keeps them, so that nothing is parsed.

::

    bytes 0-3    PAWS
    bytes 4-7    length of the header, unsigned, little-endian
    header       JSON, padded with blanks so that the arrays begin at a multiple of 8
    arrays       in the header's order, each of ``samples`` values: ``float64`` for x, ``float32`` for all others

All little-endian; missing values are NaN.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
import orjson

from web.spectra import FibreSpectrum, SpectraLayout

MAGIC: Final = b"PAWS"
MEDIA_TYPE: Final = "application/octet-stream"
_ALIGN: Final = 8


def encode(product_id: str, layout: SpectraLayout, found: FibreSpectrum) -> bytes:
    """One spectrum: flux, and sigma, sky and the spectrum before sky subtraction as far as the product has them.

    Where the product kept no spectrum from before the sky was subtracted, flux and sky make it again; the header
    says so in ``raw``.
    """
    raw, raw_from = found.raw, "RWSS"
    if raw is None and found.sky is not None:
        raw, raw_from = found.flux + found.sky, "flux + sky"
    planes = {"flux": found.flux, "sigma": found.sigma, "sky": found.sky, "raw": raw}
    kept = {
        name: np.ascontiguousarray(values, "<f4") for name, values in planes.items() if values is not None
    }
    order = [*(["x"] if found.x is not None else []), *kept]
    header: dict[str, Any] = {
        "version": 1,
        "product_id": product_id,
        "fibre": found.row.fibre,
        "name": found.row.name,
        "unit": layout.unit,
        "axis": layout.axis,
        "start": layout.start,
        "step": layout.step,
        "samples": int(found.flux.size),
        "planes": order,
        "raw": raw_from if raw is not None else None,
    }
    parts = [np.ascontiguousarray(found.x, "<f8").tobytes()] if found.x is not None else []
    return b"".join([_head(header), *parts, *(values.tobytes() for values in kept.values())])


def decode(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of an encoded spectrum, for programs in Python.

    Raises
    ------
    ValueError
        If this is no encoded spectrum.
    """
    if body[:4] != MAGIC:
        raise ValueError("expected a spectrum that begins with PAWS")
    (length,) = struct.unpack_from("<I", body, 4)
    header = orjson.loads(body[8 : 8 + length])
    arrays, offset = {}, 8 + length
    for name in header["planes"]:
        kind = np.dtype("<f8" if name == "x" else "<f4")
        arrays[name] = np.frombuffer(body, kind, header["samples"], offset)
        offset += arrays[name].nbytes
    if offset != len(body):
        raise ValueError(f"expected {offset} bytes, got {len(body)}")
    return header, arrays


def _head(header: dict[str, Any]) -> bytes:
    text = orjson.dumps(header)
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % _ALIGN)
    return MAGIC + struct.pack("<I", len(text)) + text
