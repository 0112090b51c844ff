"""Whether a file is a whole FITS file, judged by all of its HDUs. Pure functions on bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agents.ingest.cards import BLOCK, Cards, HeaderDamagedError, HeaderIncompleteError, read_header

MAX_HDUS = 64
MAX_FILE_BYTES = 256 * 1024 * 1024
"""Largest file that is read. A raw frame has 17 MB."""


class StructureState(StrEnum):
    """What a file is, structurally."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Hdu:
    """A header-data unit: its cards and where its data lie in the file."""

    cards: Cards
    data_start: int
    data_bytes: int

    @property
    def name(self) -> str:
        """Last component of EXTNAME: raw files say ``STRUCT.MORE.FIBRES`` for ``FIBRES``."""
        return str(self.cards.get("EXTNAME", "")).strip().upper().rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Structure:
    """Decision on a file's structure, with its reason.

    Attributes
    ----------
    hdus
        Those read whole, the last one perhaps without all of its data.
    code
        Defect, for programs; empty when complete.
    reason
        What is wrong, for people; empty when complete.
    """

    state: StructureState
    hdus: tuple[Hdu, ...] = ()
    code: str = ""
    reason: str = ""


def check_structure(buffer: bytes | bytearray | memoryview, size: int | None = None) -> Structure:
    """Walk through all HDUs of a file.

    Parameters
    ----------
    buffer
        The file's bytes.
    size
        Length of the file; of `buffer` when not given.
    """
    size = len(buffer) if size is None else size
    early = _judge_start(buffer, size)
    if early is not None:
        return early
    hdus: list[Hdu] = []
    offset = 0
    while offset < size and len(hdus) < MAX_HDUS:
        if hdus and not _begins_extension(buffer, offset, size):
            return _trailing(hdus, offset, size)
        try:
            header = read_header(buffer, offset)
            data_bytes = data_size(header.cards, primary=not hdus)
        except HeaderIncompleteError:
            return _truncated(hdus, f"it ends at byte {size}, within the header of HDU {len(hdus)}")
        except HeaderDamagedError as error:
            return _damaged(hdus, "corrupt", f"the header of HDU {len(hdus)} is damaged: {error}")
        hdus.append(Hdu(header.cards, header.end, data_bytes))
        offset = header.end + -(-data_bytes // BLOCK) * BLOCK
        if offset > MAX_FILE_BYTES:
            return _damaged(
                hdus,
                "absurd_header",
                f"the header of HDU {len(hdus) - 1} declares {data_bytes} bytes of data",
            )
    if offset > size:
        return _truncated(
            hdus, f"its headers declare {offset} bytes and the file has {size}: {offset - size} are missing"
        )
    if offset < size:
        return _damaged(hdus, "corrupt", f"it has more than {MAX_HDUS} HDUs")
    return Structure(StructureState.COMPLETE, tuple(hdus))


def data_size(cards: Cards, primary: bool) -> int:
    """Bytes of data that a header declares, without padding.

    ``|BITPIX| / 8 * GCOUNT * (PCOUNT + NAXIS1 * ... * NAXISn)``, FITS standard 4.0, section 7.1.1.

    Raises
    ------
    HeaderDamagedError
        If one of these words is missing or impossible.
    """
    if primary and cards.get("SIMPLE") is not True:
        raise HeaderDamagedError("SIMPLE is not T")
    bitpix = _whole(cards, "BITPIX", -64, 64)
    if bitpix not in (8, 16, 32, 64, -32, -64):
        raise HeaderDamagedError(f"BITPIX is {bitpix}")
    axes = _whole(cards, "NAXIS", 0, 999)
    if axes == 0:
        return 0
    elements = 1
    for axis in range(1, axes + 1):
        elements *= _whole(cards, f"NAXIS{axis}", 0, 2**40)
        if elements > 2**60:
            raise HeaderDamagedError("the axes multiply to an impossible size")
    pcount = _whole(cards, "PCOUNT", 0, 2**40, default=0)
    gcount = _whole(cards, "GCOUNT", 0, 2**20, default=1)
    return abs(bitpix) // 8 * gcount * (pcount + elements)


def _whole(cards: Cards, keyword: str, low: int, high: int, default: int | None = None) -> int:
    value = cards.get(keyword, default)
    if value is None:
        raise HeaderDamagedError(f"{keyword} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise HeaderDamagedError(f"{keyword} is {value!r}, expected a whole number from {low} to {high}")
    return value


def _judge_start(buffer: bytes | bytearray | memoryview, size: int) -> Structure | None:
    if size == 0:
        return Structure(StructureState.INCOMPLETE, code="empty", reason="it has 0 bytes")
    if size > MAX_FILE_BYTES:
        return _damaged([], "too_large", f"it has {size} bytes; a raw frame has about 17 million")
    start = bytes(buffer[:BLOCK])
    if not any(start):
        # A writer that reserves the space first leaves zeros until it fills them.
        return Structure(
            StructureState.INCOMPLETE,
            code="zero_bytes",
            reason="it begins with zero bytes where the header belongs",
        )
    expected = b"SIMPLE  ="
    if start[: len(expected)] != expected[: len(start)]:
        return _damaged([], "not_fits", "it does not begin as FITS files do")
    return None


def _begins_extension(buffer: bytes | bytearray | memoryview, offset: int, size: int) -> bool:
    start = bytes(buffer[offset : min(offset + 8, size)])
    return start == b"XTENSION"[: len(start)]


def _trailing(hdus: list[Hdu], offset: int, size: int) -> Structure:
    return _damaged(
        hdus,
        "corrupt",
        f"{size - offset} bytes after HDU {len(hdus) - 1} (from byte {offset}) are no extension",
    )


def _truncated(hdus: list[Hdu], reason: str) -> Structure:
    return Structure(StructureState.INCOMPLETE, tuple(hdus), "truncated", reason)


def _damaged(hdus: list[Hdu], code: str, reason: str) -> Structure:
    return Structure(StructureState.DAMAGED, tuple(hdus), code, reason)
