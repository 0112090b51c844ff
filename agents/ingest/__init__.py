"""Watch raw folders, decide which files are complete and usable, and announce frames."""

from __future__ import annotations
