"""How long a catalogue of a million rows takes to become a table, by format. Run with `pytest -m benchmark`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Table
from pyarrow import csv, parquet

from paws.accounts.audit import COMMAND_LINE
from paws.database import connect
from paws.settings import Settings
from paws.vo.geometry import prepare
from paws.vo.names import table_name
from paws.vo.publish.run import publish_file
from paws.vo.publish.wish import Wish

ROWS = 1_000_000


@pytest.fixture(scope="module")
def catalogue() -> pa.Table:
    """Ten columns: a number, a position, six measurements, a name."""
    random = np.random.default_rng(6)
    number = np.arange(ROWS, dtype=np.int64)
    columns: dict[str, Any] = {
        "source_id": number,
        "ra": random.uniform(0, 360, ROWS),
        "dec": np.degrees(np.arcsin(random.uniform(-1, 1, ROWS))),
    }
    for band in "ugrizy":
        columns[f"mag_{band}"] = random.normal(20, 2, ROWS).astype(np.float32)
    columns["name"] = [f"PAWS J{n:07d}" for n in number]
    return pa.table(columns)


def write(catalogue: pa.Table, kind: str, folder: Path) -> Path:
    path = folder / f"catalogue.{kind}"
    if kind == "csv":
        csv.write_csv(catalogue, path)
    elif kind == "parquet":
        parquet.write_table(catalogue, path)
    else:
        values = {name: catalogue[name].to_numpy() for name in catalogue.column_names[:-1]}
        table = Table({**values, "name": np.asarray(catalogue["name"].to_pylist(), "S14")})
        if kind == "fits":
            fits.BinTableHDU(table).writeto(path)
        else:
            table.write(path, format="votable", tabledata_format=kind.removeprefix("votable_"))
    return path


async def _prepare(settings: Settings, backend: Literal["cube", "pgsphere"]) -> None:
    connection = await connect(settings)
    try:
        await prepare(connection, backend)
    finally:
        await connection.close()


@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        ("csv", "pgsphere"),
        *((kind, "cube") for kind in ("csv", "parquet", "fits", "votable_binary2", "votable_tabledata")),
    ],
)
def test_a_million_rows(
    database: Settings, catalogue: pa.Table, tmp_path: Path, kind: str, backend: Literal["cube", "pgsphere"]
) -> None:
    path = write(catalogue, kind, tmp_path)
    asyncio.run(_prepare(database, backend))
    stages: dict[str, float] = {}

    def on_progress(stage: str, _rows: int) -> None:
        stages.setdefault(stage, time.perf_counter())

    start = time.perf_counter()
    wish = Wish(table_name("bench.catalogue"), path.name, COMMAND_LINE)
    published = asyncio.run(publish_file(database, wish, path, on_progress=on_progress))
    took = time.perf_counter() - start
    assert published.rows == ROWS
    assert published.positions
    told = ", ".join(f"{stage} after {at - start:.1f} s" for stage, at in stages.items())
    print(
        f"\n{kind}: {path.stat().st_size / 1e6:.0f} MB, {ROWS:,} rows x 10 columns in {took:.1f} s ({told})"
    )
