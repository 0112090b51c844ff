"""Messages to people: a reduction failed, files were rejected, a field is done. Nothing is told twice."""

from __future__ import annotations
