"""Read a file once and say what it is: a frame, an incomplete file, a reject, or none of our business.

The whole file is read into memory, not mapped: a mapped file that somebody truncates kills the process.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from pydantic import ValidationError

from agents.ingest import facts
from agents.ingest.cards import Cards
from agents.ingest.names import NameKind, foreign_reason, is_storable, name_kind
from agents.ingest.structure import MAX_FILE_BYTES, Hdu, Structure, StructureState, check_structure
from paws.clock import from_nanoseconds
from paws.errors import FrameRejectedError, NotOursError
from schemas.frames import ExposureLevel, Frame, frame_id

_SATURATED = 0.99 * 65535
_ROW_STEP, _COLUMN_STEP = 32, 8
_AGAIN = "It is looked at again when it changes."


class Verdict(StrEnum):
    """What a file turned out to be."""

    FRAME = "frame"
    INCOMPLETE = "incomplete"
    REJECTED = "rejected"
    NOT_OURS = "not_ours"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True)
class Signature:
    """What tells one content of a file from another without reading it."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """Signature in a file's status."""
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Inspection:
    """What a file is, with the reason.

    Attributes
    ----------
    signature
        Of the content that was read.
    code, reason
        For people, when it is not a frame: what is wrong and what to do next.
    header
        Cards of the primary header, for the archive.
    """

    path: str
    verdict: Verdict
    signature: Signature
    frame: Frame | None = None
    header: Cards = field(default_factory=dict)
    code: str = ""
    reason: str = ""


def inspect_file(path: str, longitude: float, noticed_at: datetime | None = None) -> Inspection:
    """Read a file and judge it. Raises nothing for what a file can be.

    Parameters
    ----------
    path
        Absolute path.
    longitude
        Of the site, degrees east.
    noticed_at
        When its completion was noticed. A frame counts as complete at the earlier of this and the last
        change of its inode, which is the rename or the last write.
    """
    try:
        opened = _read(path)
    except FileNotFoundError:
        if not os.path.lexists(path):
            return Inspection(path, Verdict.GONE, Signature(-1, -1), code="gone", reason="The file is gone.")
        return _rejected(path, Signature(0, 0), "unreadable", f"The file is a link to nothing. {_AGAIN}")
    except PermissionError:
        return _rejected(
            path,
            _signature_or_none(path),
            "unreadable",
            "The file may not be read. Give the user that runs ingest permission to read it.",
        )
    except OSError as error:
        return _rejected(
            path,
            _signature_or_none(path),
            "unreadable",
            f"The file cannot be read: {error.strerror}. {_AGAIN}",
        )
    if isinstance(opened, Inspection):
        return opened
    buffer, before, after = opened
    if Signature.of(before) != Signature.of(after) or len(buffer) != before.st_size:
        return Inspection(
            path, Verdict.CHANGED, Signature.of(after), code="changed", reason="It changed while it was read."
        )
    completed = from_nanoseconds(after.st_ctime_ns)
    if noticed_at is not None:
        completed = min(completed, noticed_at)
    return judge(path, buffer, Signature.of(after), completed, longitude)


def judge(
    path: str, buffer: memoryview, signature: Signature, completed_at: datetime, longitude: float
) -> Inspection:
    """Judge a file's content."""
    name = Path(path).name
    if name_kind(name) is not NameKind.RAW:
        return _rejected(path, signature, "wrong_name", foreign_reason(name))
    if not is_storable(path):
        return _rejected(
            path,
            signature,
            "unusable_path",
            "The path holds bytes that are no text (UTF-8) or cannot be printed. Rename the folder.",
        )
    structure = check_structure(buffer)
    try:
        if structure.hdus:
            facts.check_instrument(structure.hdus[0].cards)
        if structure.state is not StructureState.COMPLETE:
            return _incomplete_or_damaged(path, signature, structure)
        return _frame(path, buffer, signature, completed_at, longitude, structure)
    except FrameRejectedError as error:
        return _rejected(path, signature, error.defect, error.message)
    except NotOursError as error:
        return Inspection(path, Verdict.NOT_OURS, signature, code="not_ours", reason=error.message)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _rejected(
            path, signature, "bad_value", f"The frame's {where} is impossible: {first['msg']}. {_AGAIN}"
        )


def _read(path: str) -> tuple[memoryview, os.stat_result, os.stat_result] | Inspection:
    # Without O_NONBLOCK a FIFO that calls itself x.fits would hold us for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return _rejected(
                path,
                Signature.of(before),
                "not_a_file",
                "It has the name of a frame but is a folder or a device. Move it out of the raw folder.",
            )
        if before.st_size > MAX_FILE_BYTES:
            return _rejected(
                path,
                Signature.of(before),
                "too_large",
                f"The file has {before.st_size} bytes; a raw frame has about 17 million. {_AGAIN}",
            )
        view = _buffer(before.st_size)
        filled = 0
        while filled < len(view):
            count = os.readv(descriptor, [view[filled:]])
            if count == 0:
                break
            filled += count
        return view[:filled], before, os.fstat(descriptor)
    finally:
        os.close(descriptor)


_buffers = threading.local()


def _buffer(size: int) -> memoryview:
    """Space for a file, the same one again and again: fresh pages for every frame cost more than its header."""
    kept: bytearray | None = getattr(_buffers, "kept", None)
    if kept is None or len(kept) < size:
        kept = _buffers.kept = bytearray(size)
    return memoryview(kept)[:size]


def _incomplete_or_damaged(path: str, signature: Signature, structure: Structure) -> Inspection:
    sentence = f"The file is {_DEFECTS.get(structure.code, 'damaged')}: {structure.reason}. "
    if structure.state is StructureState.INCOMPLETE:
        return Inspection(
            path,
            Verdict.INCOMPLETE,
            signature,
            code=structure.code,
            reason=f"{sentence}Copy it again from the telescope. {_AGAIN}",
        )
    return _rejected(
        path,
        signature,
        structure.code,
        f"{sentence}Copy it again, or move it out of the raw folder. {_AGAIN}",
    )


_DEFECTS = {
    "empty": "empty",
    "zero_bytes": "not filled",
    "truncated": "truncated",
    "not_fits": "not FITS",
    "too_large": "too large",
    "absurd_header": "damaged",
}


def _frame(
    path: str,
    buffer: memoryview,
    signature: Signature,
    completed_at: datetime,
    longitude: float,
    structure: Structure,
) -> Inspection:
    name = Path(path).name
    hdus = structure.hdus
    known = facts.read_facts(name, hdus, _class_in_table(hdus, buffer), longitude)
    image = _image(buffer, hdus[0])
    unfilled = _unfilled_rows(image)
    if unfilled:
        return Inspection(
            path,
            Verdict.INCOMPLETE,
            signature,
            code="zero_bytes",
            reason=f"The file is not filled: {unfilled} rows of the image hold zero bytes where pixels belong. "
            f"Copy it again from the telescope. {_AGAIN}",
        )
    checksum = blake3(buffer).hexdigest()
    frame = Frame(
        frame_id=frame_id(known.night, name, checksum),
        name=name,
        path=path,
        checksum=checksum,
        size_bytes=signature.size,
        completed_at=completed_at,
        exposure=exposure_level(image, hdus[0].cards),
        **_fields(known),
    )
    return Inspection(path, Verdict.FRAME, signature, frame=frame, header=hdus[0].cards)


def _fields(known: facts.RawFacts) -> dict[str, Any]:
    # dataclasses.asdict copies deeply, which costs more than the whole header does.
    return {name: getattr(known, name) for name in facts.RawFacts.__dataclass_fields__}


def _class_in_table(hdus: tuple[Hdu, ...], buffer: memoryview) -> str:
    """Word in the first cell of the one-celled NDF_CLASS table, or empty."""
    for hdu in hdus[1:]:
        if hdu.name == "NDF_CLASS" and hdu.cards.get("NAXIS2") == 1:
            width = str(hdu.cards.get("TFORM1", "")).strip().removesuffix("A")
            if width.isascii() and width.isdigit() and 0 < int(width) <= hdu.data_bytes:
                cell = bytes(buffer[hdu.data_start : hdu.data_start + min(int(width), 80)])
                return cell.split(b"\0", 1)[0].decode("ascii", "ignore").strip()
    return ""


def _image(buffer: memoryview, hdu: Hdu) -> NDArray[np.int16]:
    pixels: NDArray[Any] = np.frombuffer(
        buffer, dtype=">i2", count=facts.COLUMNS * facts.ROWS, offset=hdu.data_start
    )
    return pixels.reshape(facts.ROWS, facts.COLUMNS)


def _unfilled_rows(image: NDArray[np.int16]) -> int:
    """Number of rows of nothing but zero bytes: in unsigned ADU that is 32768 in every pixel, overscan too."""
    suspects = np.flatnonzero(image[:, -1] == 0)
    return int(sum(not image[row].any() for row in suspects))


def exposure_level(image: NDArray[np.int16], cards: Cards) -> ExposureLevel:
    """Exposure level of a frame from a strided sample of its pixels.

    The strides have no common rhythm with the fibres, which lie about 10.2 rows apart, so the sample
    sees their profiles at all phases.

    Parameters
    ----------
    image
        Stored values, 4098 x 2070.
    cards
        Primary header, for BZERO: 0 or 32768.
    """
    offset = 32768 if cards.get("BZERO", 0) == 32768 else 0
    rows = image[_ROW_STEP // 2 :: _ROW_STEP]
    sample = rows[:, : facts.DATA_COLUMNS : _COLUMN_STEP].astype(np.float32).ravel() + np.float32(offset)
    level = float(np.median(rows[:, facts.DATA_COLUMNS + 2 :].astype(np.float32))) + float(offset)
    middle, high = len(sample) // 2, int(0.98 * (len(sample) - 1))
    ordered = np.partition(sample, (middle, high))
    return ExposureLevel(
        median=round(float(ordered[middle]) - level, 2),
        bright=round(float(ordered[high]) - level, 2),
        saturated_fraction=round(float(np.count_nonzero(sample >= _SATURATED)) / len(sample), 6),
    )


def _rejected(path: str, signature: Signature, code: str, reason: str) -> Inspection:
    return Inspection(path, Verdict.REJECTED, signature, code=code, reason=reason)


def _signature_or_none(path: str) -> Signature:
    try:
        return Signature.of(os.stat(path))
    except OSError:
        return Signature(0, 0)
