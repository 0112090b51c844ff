"""The night with raw frames on disk, and ways to fetch and unpack what is downloaded of it."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import subprocess
import tarfile
from pathlib import Path

import httpx
import numpy as np
from blake3 import blake3

from paws.database import connect
from paws.settings import Settings, load_settings
from tests.support.night_plan import NIGHT
from tests.support.night_rows import NightRows, write_night
from tests.support.people import MY_FIELD
from tests.support.postgres import TEMPLATE, DatabaseServer, run_sql
from tests.web.conftest import Site

FIELD = f"night={NIGHT}&field={MY_FIELD}"
_numbers = itertools.count(1)


def make_shelf(server: DatabaseServer, folder: Path, name: str) -> Site:
    """A database of that name with the night and its raw frames, for the tests of a module that change nothing."""
    asyncio.run(run_sql(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
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


async def get(client: httpx.AsyncClient, address: str, **headers: str) -> httpx.Response:
    """An answer, as who retries gets it."""
    for _ in range(30):
        found = await client.get(address, headers=headers)
        if found.status_code != 503:
            return found
        assert found.headers["retry-after"] == "3"
        await asyncio.sleep(0.3)
    raise AssertionError(found.text)


def tar_of(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]  # files only


async def run_script(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = folder / "download.sh"
    path.write_text(text)
    return await asyncio.to_thread(
        lambda: subprocess.run(
            ["sh", str(path)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
    )


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def spoil(where: Path) -> tuple[list[Path], dict[Path, bytes]]:
    """One file is lost, one torn by an interruption, one begun with rubbish, one damaged; gives what was there."""
    folders = [path for path in where.iterdir() if path.is_dir()]
    whole = content_of(folders[0])
    lost, torn, rubbish, damaged = [path for path in whole if path.suffix == ".fits"][:4]
    for path in (lost, torn, rubbish):
        path.unlink()
    Path(f"{torn}.part").write_bytes(whole[torn][:5000])
    Path(f"{rubbish}.part").write_bytes(bytes(9_999_999))
    damaged.write_bytes(whole[damaged][:-1])
    return folders, whole
