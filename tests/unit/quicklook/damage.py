"""Ways in which a FITS file can be spoilt, for hypothesis to choose from."""

from __future__ import annotations

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


damages = st.tuples(
    st.sampled_from([truncate, bad_card, bad_value, noise, bad_tail, no_block]),
    st.floats(0.0, 1.0, exclude_max=True),
    st.binary(min_size=1, max_size=CARD),
)
