"""Answers of the explorer's part of the interface for programs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from web.api.models import Answer, Real


class Explored(Answer):
    """A product that can be explored."""

    product_id: str
    path: str = Field(description="Where it stands in the tree")
    title: str
    kind: str
    night: str
    field: str
    plate: int | None
    grating: str
    arm: str | None
    run: int | None
    version: int
    current: bool
    provisional: bool
    signal_to_noise: Real | None
    page: str | None = Field(description="Its own page; null for files that are in no archive")


class ExploredList(Answer):
    """Products that can be explored, in the order of the tree."""

    items: list[Explored]
    total: int = Field(description="How many fit, of which these are the newest")


class PlacedFibre(Answer):
    """A fibre, and where it is drawn."""

    fibre: int = Field(description="Row of the product, from 1")
    name: str
    type: str = Field(description="P target, S sky, F guide, U parked, N broken")
    pivot: int | None
    ra: float | None = Field(description="Degrees, J2000; null for what is not on the sky")
    dec: float | None
    magnitude: float | None
    x: float | None = Field(description="Of the button on the plate, micrometre")
    y: float | None
    comment: str
    xi: float = Field(description="Degrees east of the field's centre, where it is drawn")
    eta: float = Field(description="Degrees north of the field's centre, where it is drawn")
    source: Literal["sky", "plate", "rim"] = Field(
        description="Whence the place: position on the sky, button on the plate, or neither (on the rim)"
    )
    signal_to_noise: Real | None = Field(description="Median per Angstrom, as recorded with the product")


class PlateView(Answer):
    """A product's field: every fibre, whatever its type."""

    product: Explored
    centre: tuple[float, float] | None = Field(description="Right ascension and declination, degrees, J2000")
    label: str
    axis: Literal["wavelength", "pixel"]
    unit: str
    samples: int
    planes: list[str] = Field(description="What its spectra have besides flux: sigma, sky, raw")
    notes: list[str] = Field(description="What the file lacks or has in an odd form")
    fibres: list[PlacedFibre]
    beside: list[Explored] = Field(description="Other products of the same field, plate and night")


class PlateFigures(Answer):
    """Figures of every fibre, by row. Null where a fibre has none, or the product lacks what it is measured from."""

    product_id: str
    signal_to_noise: list[Real | None] | None = Field(description="Median per Angstrom")
    throughput: list[Real | None] | None = Field(description="Relative, as the reducer found it")
    sky_residual: list[Real | None] | None = Field(description="What is left of sky lines, fraction of them")
    filled: list[Real | None] = Field(description="Part of the pixels that have a value")
    level: list[Real | None] = Field(description="Median of the flux")
