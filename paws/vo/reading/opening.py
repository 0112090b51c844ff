"""Any file that may be a table: which format it is in, by its own bytes first, and its columns' names made valid."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from paws.vo.names import column_names
from paws.vo.reading.fits import open_fits
from paws.vo.reading.limits import Limits, TableFileError
from paws.vo.reading.parquet import open_parquet
from paws.vo.reading.separated import open_separated
from paws.vo.reading.source import TableSource
from paws.vo.reading.unpacking import opened
from paws.vo.reading.votable import open_votable

_Opener = Callable[[IO[bytes], Limits], TableSource]
_HINTS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("votable", ".vot", ".xml", "text/xml", "application/xml"), "VOTable"),
    (("fits", ".fit"), "FITS"),
    (("parquet", ".pq"), "Parquet"),
    (("csv", "tsv", "tab-separated", ".txt", ".dat", "text/plain"), "text"),
)
_OPENERS: Final[dict[str, _Opener]] = {
    "VOTable": open_votable,
    "FITS": open_fits,
    "Parquet": open_parquet,
    "text": open_separated,
}


_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def open_table(path: Path, hint: str = "", limits: Limits | None = None) -> TableSource:
    """Open a file as a table. Blocks; call it in a thread.

    What the file is, its first bytes tell; `hint` only matters where they do not. Names of columns are kept as they
    are wherever that can be; what was changed is told in the source's `warnings`.

    Parameters
    ----------
    hint
        Media type, name or suffix of the file.
    limits
        Bounds; what lies beyond them is refused.

    Raises
    ------
    TableFileError
        If it is no table, or a damaged one.
    TableTooLargeError
        If it is larger than it may be.
    """
    bounds = limits or Limits()
    file = opened(path, bounds)
    try:
        beginning = file.read(1_000)
        file.seek(0)
        source = _OPENERS[_kind(beginning, hint)](file, bounds)
    except BaseException:
        file.close()
        raise
    close = source.close

    def close_both() -> None:
        close()
        file.close()

    names, warnings = column_names([column.name for column in source.columns])
    source.columns = tuple(
        replace(column, name=named.name) for column, named in zip(source.columns, names, strict=True)
    )
    source.warnings += tuple(warnings)
    source.close = close_both
    return source


def _kind(beginning: bytes, hint: str) -> str:
    hinted = next((kind for words, kind in _HINTS if any(word in hint.lower() for word in words)), None)
    if beginning.startswith(b"PAR1"):
        return "Parquet"
    if beginning.startswith(b"SIMPLE  ="):
        return "FITS"
    text = beginning[2:].replace(b"\0", b"").lstrip()
    if beginning.startswith(_WIDE) and not text.startswith(b"<"):
        raise TableFileError("The file is text in UTF-16; save it in UTF-8.")
    wide = beginning.startswith((*_WIDE, b"<\0", b"\0<"))
    if wide or beginning.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
        return "VOTable"
    if hinted is not None and hinted != "text":
        raise TableFileError(f"The file is called a {hinted} file, and is none.")
    return "text"
