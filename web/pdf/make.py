"""From a product to its PDF."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from paws.errors import InvalidInputError
from web.pdf.panels import add_spectra
from web.pdf.paper import Paper
from web.pdf.reading import Sheet, read_sheet
from web.pdf.summary import add_summary

LAYOUT: Final = 2
"""Counts the looks of a PDF: a kept one of another look is drawn again."""

MEDIA_TYPE: Final = "application/pdf"


@dataclass(frozen=True)
class Printed:
    """What was made."""

    pages: int
    spectra: int
    size_bytes: int


def draw(sheet: Sheet) -> tuple[bytes, Printed]:
    """PDF of a product: a summary, then its spectra. The same product gives the same bytes."""
    title = f"{sheet.card('OBJECT')} {sheet.name}".strip()
    paper = Paper(title, "Spectra of a 2dF+AAOmega field", _moment(sheet))
    add_summary(paper, sheet)
    add_spectra(paper, sheet)
    out = BytesIO()
    paper.write(out)
    content = out.getvalue()
    return content, Printed(paper.pages, int(sheet.filled.sum()), len(content))


def make_pdf(source: Path, target: Path) -> Printed:
    """Print a product into a file: under a temporary name, renamed when it is whole.

    Raises
    ------
    InvalidInputError
        If the product holds no spectra, is damaged, or the PDF cannot be written.
    """
    content, printed = draw(read_sheet(source))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        raise InvalidInputError(
            f"{target} cannot be written: {error.strerror or error}. Check the folder and the disk."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return printed


def _moment(sheet: Sheet) -> str:
    """When the product was made, or else observed, as PDFs write it."""
    digits = re.sub(r"[^0-9]", "", sheet.card("PAWSDATE") or sheet.card("UTDATE") + sheet.card("UTSTART"))
    return digits[:14] if len(digits) >= 14 else ""
