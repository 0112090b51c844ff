"""Results of queries as VOTable, CSV, TSV, FITS, JSON and Parquet: streamed, in constant memory."""

from __future__ import annotations

from web.vo.formats.registry import DEFAULT, FORMATS, Choice, Format, Writer, choose, named
from web.vo.formats.stream import begun, write
from web.vo.formats.values import Chunks, Described, ResultInfo
from web.vo.formats.xml import error_document

__all__ = [
    "DEFAULT",
    "FORMATS",
    "Choice",
    "Chunks",
    "Described",
    "Format",
    "ResultInfo",
    "Writer",
    "begun",
    "choose",
    "error_document",
    "named",
    "write",
]
