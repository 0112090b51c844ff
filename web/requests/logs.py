"""The last lines of a log that is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from paws.settings import Settings
from web.files import inside

LINES: Final = 12
_BYTES: Final = 8192
_WIDEST: Final = 240


async def tail(settings: Settings, row: Mapping[str, Any]) -> str:
    """Last lines of the log of a reduction that is at work; empty while there is none.

    Parameters
    ----------
    row
        With ``job_key``, ``night`` and ``attempt``, of which runners make the log's name.
    """
    name = (
        settings.logs_dir.relative_to(settings.data_dir)
        / "reductions"
        / row["night"]
        / f"{row['job_key'][:16]}-{row['attempt']}.log"
    )
    return await asyncio.to_thread(_tail, inside(settings, str(name)))


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _BYTES))
            text = stream.read(_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [
        "".join(char if char.isprintable() else " " for char in line)[:_WIDEST] for line in text.splitlines()
    ]
    return "\n".join(lines[-LINES:])
