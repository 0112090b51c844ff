"""Commands of the shell itself."""

from __future__ import annotations
