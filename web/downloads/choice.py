"""Which download is asked for: questions about it, and its name."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self
from urllib.parse import urlencode

from pydantic import Field, StringConstraints, model_validator

from schemas.layout import safe_component
from web.questions import NightText, Question, Text

MOST_PRODUCTS: Final = 500
MOST_NAMED: Final = 200
MOST_FILES: Final = 5000

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f/]+$")]


class Content(StrEnum):
    """How much goes into a download."""

    REDUCED = "reduced"
    RAW = "raw"
    EVERYTHING = "everything"

    @property
    def words(self) -> str:
        """For people."""
        return {
            Content.REDUCED: "reduced spectra",
            Content.RAW: "reduced spectra and their raw frames",
            Content.EVERYTHING: "everything: reduced spectra, the calibrations behind them, and all raw frames",
        }[self]


class DownloadQuestion(Question):
    """Which files: products by name, or the current spectra of a night and field, or what a request made."""

    product: tuple[Identifier, ...] = Field(
        default=(), max_length=MOST_NAMED, description="Identifier of a product; may be given several times"
    )
    night: NightText | None = Field(default=None, description="YYYYMMDD")
    field: Text | None = Field(default=None, min_length=1, description="Field label, whole")
    request: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = Field(
        default=None, description="Identifier of a request"
    )
    content: Content = Field(
        default=Content.REDUCED,
        description="reduced: spectra; raw: their raw frames too; everything: calibrations as well",
    )
    pdfs: bool = Field(default=True, description="Whether a PDF of the spectra lies beside each product")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [bool(self.product), bool(self.night or self.field), bool(self.request)]
        if sum(ways) != 1:
            raise ValueError("name products, or a night or field, or a request: exactly one of these")
        return self

    def query(self, **more: str) -> str:
        """As part of an address."""
        values: list[tuple[str, str]] = [("product", one) for one in self.product]
        values += [
            (name, str(value))
            for name in ("night", "field", "request")
            if (value := getattr(self, name)) is not None
        ]
        values.append(("content", str(more.pop("content", self.content))))
        if not self.pdfs:
            values.append(("pdfs", "false"))
        return urlencode([*values, *more.items()])


def folder_name(ask: DownloadQuestion, product_paths: list[str]) -> str:
    """Folder that a download unpacks into, which is its file's name too."""
    if ask.request:
        about = f"request-{ask.request}"
    elif ask.product and len(product_paths) == 1:
        about = product_paths[0].rsplit("/", 1)[-1].removesuffix(".fits")
    elif ask.product:
        about = f"{len(product_paths)}-products"
    else:
        about = "-".join(part for part in (ask.night, ask.field) if part)
    return f"paws-{safe_component(about)}-{ask.content}"
