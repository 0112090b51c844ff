"""Ways in which a FITS file can be spoilt, for hypothesis to choose from."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits
from hypothesis import strategies as st

BLOCK = 2880
CARD = 80

VALUES = [
    "'", "NaN", "'NaN'", "inf", "1e400", "-1", "0", "99999999999999999999", "T", "'\\x00'", "(1.0, 2.0)", "''",
    "''''''", "1.2.3", "'" + "x" * 60, "/ nothing", "-0.0", "1D300",
]  # fmt: skip


def truncate(data: bytes, where: float, what: bytes) -> bytes:
    """As a copy that was broken off."""
    return data[: int(where * len(data))]


def bad_card(data: bytes, where: float, what: bytes) -> bytes:
    """Another 80 bytes in place of a card of the first header."""
    end = data.find(b"END" + b" " * 77)
    at = CARD * int(where * max(end // CARD, 1))
    return data[:at] + what[:CARD].ljust(CARD) + data[at + CARD :]


def bad_value(data: bytes, where: float, what: bytes) -> bytes:
    """A card of the first header with a value that cannot be."""
    end = data.find(b"END" + b" " * 77)
    at = CARD * int(where * max(end // CARD, 1))
    value = VALUES[what[0] % len(VALUES)] if what else "?"
    return data[: at + 10] + value.encode()[:70].ljust(70) + data[at + CARD :]


def noise(data: bytes, where: float, what: bytes) -> bytes:
    """Some bytes anywhere in the file."""
    at = int(where * len(data))
    return data[:at] + what * 50 + data[at + 50 * len(what) :]


def bad_tail(data: bytes, where: float, what: bytes) -> bytes:
    """Bytes in the extensions behind the image: fibre table and class."""
    at = len(data) - 1 - int(where * min(len(data), 40 * BLOCK))
    return data[:at] + what + data[at + len(what) :]


def no_block(data: bytes, where: float, what: bytes) -> bytes:
    """A block of 2880 bytes is missing."""
    at = BLOCK * int(where * (len(data) // BLOCK))
    return data[:at] + data[at + BLOCK :]


def wrong_array(data: bytes, where: float, what: bytes) -> bytes:
    """A sound file, one of whose arrays or tables is not what it ought to be."""
    with fits.open(io.BytesIO(data), memmap=False) as hdus:
        images = [
            i for i, hdu in enumerate(hdus) if isinstance(hdu.data, np.ndarray) and not hdu.data.dtype.names
        ]
        tables = [i for i, hdu in enumerate(hdus) if hdu.data is not None and hdu.data.dtype.names]
        kind = what[0] % (len(SHAPES) + len(FILLINGS) + 3)
        at = images[int(where * len(images))]
        if kind < len(SHAPES):
            hdus[at].data = np.ascontiguousarray(SHAPES[kind](hdus[at].data))
        elif kind < len(SHAPES) + len(FILLINGS):
            values = hdus[at].data.astype(np.float32)
            part = np.random.default_rng(list(what)).random(values.shape) < (what[-1] + 1) / 256
            values[part] = FILLINGS[kind - len(SHAPES)]
            hdus[at].data = values
        elif kind == len(SHAPES) + len(FILLINGS) and len(hdus) > 1:
            del hdus[1 + int(where * (len(hdus) - 1))]
        elif kind == len(SHAPES) + len(FILLINGS) + 1 and tables:
            _confuse(hdus[tables[int(where * len(tables))]].data, where, what)
        else:
            for key in list(hdus[0].header)[6 + int(60 * where) :: 7]:
                hdus[0].header.remove(key, ignore_missing=True, remove_all=True)
        out = io.BytesIO()
        hdus.writeto(out, output_verify="silentfix")
    return out.getvalue()


SHAPES = [
    lambda a: a[..., :-1],
    lambda a: a[:1],
    lambda a: np.moveaxis(a, 0, -1),
    lambda a: a[np.newaxis],
    lambda a: a[..., ::-1],
    lambda a: a.reshape(-1)[:7],
]
FILLINGS = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e30, -1e30, 3e38]


def _confuse(table: fits.FITS_rec, where: float, what: bytes) -> None:
    """Other values in a column of a table."""
    name = table.names[what[-1] % len(table.names)]
    column = table[name]
    if column.dtype.kind == "f":
        column[:: 1 + what[0] % 5] = FILLINGS[int(where * len(FILLINGS))]
    elif column.dtype.kind in "iu":
        column[:: 1 + what[0] % 5] = np.iinfo(column.dtype).min
    else:
        column[int(where * len(column)) :] = "SPUFN?"[what[0] % 6]


damages = st.tuples(
    st.sampled_from([truncate, bad_card, bad_value, noise, bad_tail, no_block, wrong_array, wrong_array]),
    st.floats(0.0, 1.0, exclude_max=True),
    st.binary(min_size=1, max_size=CARD),
)
