"""The schema ``paws``: what PAWS Live knows, beside what the Virtual Observatory has everywhere."""

from __future__ import annotations

from typing import Final

from paws.vo.declared.frame_tables import FIELDS, FRAMES, LOG
from paws.vo.declared.spectrum_tables import FIBRES, PRODUCTS, SPECTRA, TARGETS
from paws.vo.declared.values import DeclaredSchema

PAWS: Final = DeclaredSchema(
    "paws",
    "Live reductions of 2dF+AAOmega: frames, fields, fibres, spectra, targets, products and the observing log.",
    None,
    (SPECTRA, TARGETS, FIELDS, FIBRES, PRODUCTS, FRAMES, LOG),
)
