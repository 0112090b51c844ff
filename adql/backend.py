"""The two ways in which a database can search positions."""

from __future__ import annotations

from typing import Literal, TypeAlias

Backend: TypeAlias = Literal["pgsphere", "cube"]
"""``pgsphere``: by the extension pg_sphere. ``cube``: by what PostgreSQL comes with (see 0007_geometry.sql)."""
