"""All schemas that the code declares, in the order in which they are listed."""

from __future__ import annotations

from typing import Final

from paws.vo.declared.tap_schema import TAP_SCHEMA
from paws.vo.declared.values import DeclaredSchema

DECLARED: Final[tuple[DeclaredSchema, ...]] = (TAP_SCHEMA,)
