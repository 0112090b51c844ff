"""Files as they come: how large, compressed or not, in which encoding; as bytes that are not all in memory."""

from __future__ import annotations

import codecs
import gzip
import mmap
import os
import re
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from paws.vo.reading.limits import Limits, TableFileError

_PIECE: Final = 1_048_576
_GZIP: Final = b"\x1f\x8b"
_DECLARED: Final = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"'][^>]*\?>")
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_UTF8: Final = {"utf-8", "ascii"}


def opened(path: Path, limits: Limits) -> IO[bytes]:
    """Open a file; one that gzip packed is unpacked beside it as far as its size may go.

    Raises
    ------
    TableFileError
        If the file cannot be read, or is damaged.
    TableTooLargeError
        If it is too large, packed or not.
    """
    try:
        size = path.stat().st_size
        limits.check_file(size)
        if not size:
            raise TableFileError("The file is empty.")
        file = path.open("rb")
    except OSError as error:
        raise TableFileError(f"The file cannot be read: {error.strerror}.") from error
    try:
        packed = file.read(2) == _GZIP
        file.seek(0)
        return _unpacked(file, path.parent, limits) if packed else file
    except BaseException:
        file.close()
        raise


def _unpacked(file: IO[bytes], folder: Path, limits: Limits) -> IO[bytes]:
    # Beside the file, where there is room for such files; the system's own folder is often in memory.
    target = tempfile.TemporaryFile(dir=folder if os.access(folder, os.W_OK) else None)  # noqa: SIM115 - the caller closes it
    size = 0
    try:
        with file, gzip.GzipFile(fileobj=file) as source:
            while piece := source.read(_PIECE):
                size += len(piece)
                limits.check_unpacked(size)
                target.write(piece)
        target.seek(0)
        return target
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        target.close()
        raise TableFileError("The file is packed by gzip and damaged, or cut off.") from error
    except OSError as error:
        target.close()
        raise TableFileError(f"The file cannot be unpacked: {error.strerror}.") from error
    except BaseException:
        target.close()
        raise


def mapped(file: IO[bytes], limits: Limits) -> tuple[Any, Callable[[], None]]:
    """Bytes of an XML file in UTF-8 without having all in memory, and what closes them.

    Raises
    ------
    TableFileError
        If the file is in no encoding that is known.
    """
    try:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise TableFileError("The file is empty.") from error
    encoding = _encoding(whole[:1_000])
    if encoding is None:
        return whole, whole.close
    try:
        limits.check_unpacked(2 * len(whole))
        text = whole[:].decode(encoding)
    except (LookupError, UnicodeDecodeError) as error:
        raise TableFileError(
            f"The file says it is in {encoding}, and cannot be read so; save it in UTF-8."
        ) from error
    finally:
        whole.close()
    return _DECLARATION.sub("", text.removeprefix("\ufeff")).encode(errors="replace"), lambda: None


def _encoding(beginning: bytes) -> str | None:
    """Encoding of an XML file; None for UTF-8."""
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if beginning.startswith((b"<\0?\0", b"<\0V\0")):
        return "utf-16-le"
    if beginning.startswith((b"\0<\0?", b"\0<\0V")):
        return "utf-16-be"
    declared = _DECLARED.match(beginning.removeprefix(codecs.BOM_UTF8))
    if declared is None:
        return None
    name = declared[1].decode().lower()
    try:
        known = codecs.lookup(name).name
    except LookupError:
        raise TableFileError(f"The file is in the encoding {name!r}, which is not known.") from None
    return None if known in _UTF8 else name
