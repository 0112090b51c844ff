"""STILTS, the tools of TOPCAT without windows: validators and readers of the field."""

from __future__ import annotations

import asyncio
import shutil

import pytest

DEADLINE = 240.0

needs_stilts = pytest.mark.skipif(
    shutil.which("stilts") is None, reason="STILTS is not installed (Debian: stilts)"
)


async def stilts(*arguments: str) -> tuple[int, str]:
    """Exit status and output of a STILTS command, errors among it."""
    process = await asyncio.create_subprocess_exec(
        "stilts", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode()
