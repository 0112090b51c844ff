"""The night with raw frames on disk: what downloads need beyond its products."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import numpy as np
from blake3 import blake3

from paws.database import connect
from paws.settings import Settings, load_settings
from tests.support.night_rows import NightRows, write_night
from tests.support.postgres import TEMPLATE, DatabaseServer, _execute
from tests.web.conftest import Site

_numbers = itertools.count(1)


def make_shelf(server: DatabaseServer, folder: Path, name: str) -> Site:
    """A database of that name with the night and its raw frames, for the tests of a module that change nothing."""
    asyncio.run(_execute(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    settings = load_settings(data_dir=folder / "data", database_url=server.url(name))
    rows = asyncio.run(write_night(settings, fibres=12, samples=200))
    asyncio.run(write_raw_files(settings, rows, folder / "raw"))
    return Site(settings, rows)


async def write_raw_files(settings: Settings, rows: NightRows, folder: Path, kilobytes: int = 48) -> None:
    """Write a file for every frame, as large as told, and let the database know its sum."""
    connection = await connect(settings)
    try:
        for frame in rows.frames.values():
            place = folder / f"ccd_{frame.arm.ccd}"
            place.mkdir(parents=True, exist_ok=True)
            content = np.random.default_rng(next(_numbers)).bytes(kilobytes * 1024)
            path = place / frame.name
            path.write_bytes(content)
            await connection.execute(
                "UPDATE frame SET path = $2, checksum = $3, size_bytes = $4, mtime_ns = $5 WHERE frame_id = $1",
                frame.frame_id,
                str(path),
                blake3(content).hexdigest(),
                len(content),
                path.stat().st_mtime_ns,
            )
    finally:
        await connection.close()
