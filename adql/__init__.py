"""ADQL 2.1, the query language of the Virtual Observatory: from text to PostgreSQL. A library without I/O."""

from __future__ import annotations
