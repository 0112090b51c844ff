"""From the fibre table of a product to rows that say where each fibre was put. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from agents.tap_ingest.service import ProductArrays
from agents.tap_ingest.values import declination, number, real, right_ascension, small, whole

_IDENTIFIER_DIGITS = 24


@dataclass(frozen=True)
class FibreRow:
    """A row of the table ``fibre``: positions in degrees, ``x`` and ``y`` in micrometres, motions in arcsec / year."""

    fibre: int
    pivot: int | None
    fibre_type: str
    target_name: str
    ra: float | None
    dec: float | None
    x: int | None
    y: int | None
    theta: float | None
    magnitude: float | None
    programme: int | None
    retractor: str
    pm_ra: float | None
    pm_dec: float | None
    comment: str


@dataclass(frozen=True)
class FibreTable:
    """The fibres of a field, with an identifier that is the same for the same configuration of the same field."""

    identifier: str
    night: str
    field: str
    plate: int | None
    rows: tuple[FibreRow, ...]


def fibre_table(product: ProductArrays, night: str, field: str, plate: int | None) -> FibreTable:
    """The fibre table of a product, of every fibre whether it has a spectrum or not."""
    rows = tuple(_row(product, index) for index in range(len(product.kind)))
    return FibreTable(_identifier(night, field, plate, rows), night, field, plate, rows)


def _row(product: ProductArrays, index: int) -> FibreRow:
    def placed(name: str) -> Any:
        return product.placing[name][index] if name in product.placing else None

    theta = number(placed("THETA"))
    return FibreRow(
        fibre=index + 1,
        pivot=small(product.pivot[index]),
        fibre_type=product.kind[index],
        target_name=product.name[index],
        ra=right_ascension(product.ra[index]),
        dec=declination(product.dec[index]),
        x=whole(placed("X")),
        y=whole(placed("Y")),
        theta=None if theta is None else math.degrees(theta) % 360.0,
        magnitude=real(product.magnitude[index]),
        programme=whole(placed("PID")),
        retractor=_at(product.retractor, index),
        pm_ra=real(placed("PMRA")),
        pm_dec=real(placed("PMDEC")),
        comment=_at(product.comment, index),
    )


def _at(texts: Sequence[str], index: int) -> str:
    return texts[index] if index < len(texts) else ""


def _identifier(night: str, field: str, plate: int | None, rows: Sequence[FibreRow]) -> str:
    content = json.dumps([night, field, plate, [astuple(row) for row in rows]], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:_IDENTIFIER_DIGITS]
