"""All schemas that the code declares, in the order in which they are listed."""

from __future__ import annotations

from typing import Final

from paws.vo.declared.obscore import IVOA
from paws.vo.declared.paws_tables import PAWS
from paws.vo.declared.ssap import SSAP
from paws.vo.declared.tap_schema import TAP_SCHEMA
from paws.vo.declared.values import DeclaredSchema

DECLARED: Final[tuple[DeclaredSchema, ...]] = (IVOA, PAWS, SSAP, TAP_SCHEMA)
