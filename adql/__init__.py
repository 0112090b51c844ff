"""ADQL 2.1, the query language of the Virtual Observatory: from text to PostgreSQL. A library without I/O."""

from __future__ import annotations

from adql.errors import AdqlError
from adql.parser import parse

__all__ = ["AdqlError", "parse"]
