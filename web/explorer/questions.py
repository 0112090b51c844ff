"""What the explorer may be asked. Everything that it shows stands in its address, and is bounded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from web.questions import Fibre, Question, Text

ProductText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f/]*$")]
ListText = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00-\x1f/]*$")]
Words = Annotated[str, StringConstraints(max_length=80, pattern=r"^[a-z,]*$")]


class BrowseQuestion(Question):
    """Which products can be explored."""

    q: Text | None = Field(
        default=None, description="Words that the path, field, night or programme of a product must contain"
    )
    limit: int = Field(default=500, ge=1, le=1000, description="Most products in the answer")


class ExplorerQuestion(BrowseQuestion):
    """What the explorer shows. The page's script reads the same address, and writes it."""

    product: ProductText | None = Field(default=None, description="Product that is explored")
    fibre: Fibre | None = Field(default=None, description="Row of the product, from 1")
    beside: ListText | None = Field(default=None, description="Products compared at the same target")
    pins: ListText | None = Field(default=None, description="Spectra kept for comparison, as product~fibre")
    layers: Words | None = Field(default=None, description="Of error, sky, raw")
    lines: Words | None = Field(default=None, description="Of emission, absorption, night")
    z: float | None = Field(default=None, ge=-0.01, le=12, description="Redshift of the line markers")
    medium: Literal["air", "vacuum"] | None = Field(default=None, description="Wavelengths in")
    smooth: int | None = Field(default=None, ge=1, le=101, description="Pixels that are averaged")
    scale: Literal["own", "same"] | None = Field(
        default=None, description="Spectra in their own units, or each over its median"
    )
    range: Annotated[str, StringConstraints(pattern=r"^-?[0-9.]{1,12},-?[0-9.]{1,12}$")] | None = Field(
        default=None, description="Wavelengths shown, from,to"
    )
    colour: Literal["type", "snr", "throughput", "magnitude", "residual"] | None = Field(
        default=None, description="What the plate is coloured by"
    )
    view: Literal["sky", "plate"] | None = Field(
        default=None, description="With or without images of the sky"
    )
    types: Text | None = Field(default=None, description="Letters of the fibre types in the table")
    find: Text | None = Field(default=None, description="Part of a target's name or comment")
    sort: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,12}-?$")] | None = Field(
        default=None, description="Column the table is sorted by; - for downwards"
    )
