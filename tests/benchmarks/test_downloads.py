"""What downloads and PDFs cost: printed, not asserted."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
from blake3 import blake3

from paws.database import connect
from paws.settings import Settings
from schemas.vocabulary import Arm, ProductKind
from tests.support.night_files import write_product_file
from tests.support.night_rows import write_night
from tests.web.conftest import serving
from web.pdf.make import make_pdf

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]


@pytest.mark.parametrize(
    ("kind", "arm", "samples"), [(ProductKind.OBJECT, Arm.BLUE, 2048), (ProductKind.SPLICED, None, 4938)]
)
def test_pdf_of_a_full_field(kind: ProductKind, arm: Arm | None, samples: int, tmp_path: Path) -> None:
    product = tmp_path / "OBJ0008red.fits"
    write_product_file(product, kind, arm, 8, 400, samples)
    make_pdf(product, tmp_path / "warm.pdf")
    cpu, wall = time.process_time(), time.perf_counter()
    printed = make_pdf(product, tmp_path / "out.pdf")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall

    print(
        f"\nPDF of 400 fibres x {samples}: {printed.spectra} spectra on {printed.pages} pages,"
        f" {printed.size_bytes / 1e6:.1f} MB, {cpu:.2f} s of one core ({wall:.2f} s by the clock)"
    )
    assert printed.spectra > 380


def memory(name: str) -> float:
    """A line of this process's status, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def take(address: str, path: str, most: int) -> int:
    """Bytes that a client gets, up to so many, throwing them away."""
    host, port = address.split(":")
    taken = 0
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        buffer = bytearray(1 << 18)
        while taken < most and (got := connection.recv_into(buffer)):
            taken += got
    return taken


async def test_memory_of_a_large_archive(database: Settings, tmp_path: Path) -> None:
    rows = await write_night(database, fibres=12, samples=200)
    size = 3_000_000_000
    path = tmp_path / "large.fits"
    with path.open("wb") as stream:
        stream.truncate(size)
    told = blake3().update_mmap(path).hexdigest()
    connection = await connect(database)
    await connection.execute(
        "UPDATE frame SET path = $2, checksum = $3, size_bytes = $4 WHERE frame_id = $1",
        *(rows.frames[8, "blue"].frame_id, str(path), told, size),
    )
    await connection.close()
    product = rows.products["8/blue/object/1"]
    archive = f"/api/downloads/archive.zip?product={product}&content=raw&pdfs=false"
    async with serving(database) as (address, _app):
        begun = time.perf_counter()
        for _ in range(600):
            if await asyncio.to_thread(take, address, archive, 1 << 40) > size:
                break
            await asyncio.sleep(0.5)
        prepared = time.perf_counter() - begun
        await asyncio.to_thread(Path("/proc/self/clear_refs").write_text, "5")  # peaks are counted anew
        before, begun = memory("VmRSS"), time.perf_counter()
        taken = await asyncio.gather(*(asyncio.to_thread(take, address, archive, 1 << 40) for _ in range(2)))
        seconds = time.perf_counter() - begun
        grown = memory("VmHWM") - before
    print(
        f"\nArchive of {size / 1e9:.0f} GB: {prepared:.1f} s to the first one whole, sums included; then two at once:"
        f" {sum(taken) / seconds / 1e6:.0f} MB/s, peak memory +{grown:.1f} MB"
    )
    assert min(taken) > size
