"""The observing log: a row a frame, from its header and from what became of it."""

from __future__ import annotations
