"""The table of 200,000 rows and ten columns that TAP services are measured on, and the questions put to them."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import aiohttp
import httpx
import numpy as np
from astropy.table import Table

SEED = 5
COLUMNS = ("id", "ra", "dec", *(f"m{band}" for band in range(1, 7)), "name")


@dataclass(frozen=True)
class Service:
    """A TAP service that has the table: its address, and the table's name there."""

    name: str
    address: str
    table: str


def stars(rows: int) -> Table:
    """Points spread evenly over the sphere, with six magnitudes and a name each."""
    random = np.random.default_rng(SEED)
    table = Table({"id": np.arange(rows, dtype=np.int64)})
    table["ra"] = random.uniform(0, 360, rows)
    table["dec"] = np.degrees(np.arcsin(random.uniform(-1, 1, rows)))
    for band in range(1, 7):
        table[f"m{band}"] = random.normal(20, 2, rows).astype(np.float32)
    table["name"] = [f"S{number:07d}" for number in range(rows)]
    return table


def write_csv(table: Table, path: Path) -> None:
    """The table as CSV, its numbers so that they are the same when read."""
    columns = [table[name].tolist() for name in COLUMNS]
    for place in range(3, 9):
        columns[place] = [f"{value:.9g}" for value in columns[place]]
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        file.writelines(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def upload_of(table: Table, rows: int) -> bytes:
    """A VOTable of some of the table's positions, a second of arc aside: each finds its star again."""
    chosen = np.linspace(0, len(table) - 1, rows).astype(int)
    aside = Table(
        {
            "number": np.arange(rows, dtype=np.int32),
            "ra": np.asarray(table["ra"])[chosen],
            "dec": np.clip(np.asarray(table["dec"])[chosen] + 1 / 3600, -90, 90),
        }
    )
    aside["ra"].unit = aside["dec"].unit = "deg"
    buffer = BytesIO()
    aside.write(buffer, format="votable")
    return buffer.getvalue()


def cone(service: Service, number: int, radius: float) -> str:
    """A cone search, each at another place."""
    random = np.random.default_rng(number)
    ra, dec = random.uniform(0, 360), np.degrees(np.arcsin(random.uniform(-1, 1)))
    return (
        f"SELECT * FROM {service.table} WHERE 1=CONTAINS(POINT('ICRS', ra, dec), "
        f"CIRCLE('ICRS', {ra:.6f}, {dec:.6f}, {radius}))"
    )


def _question(adql: str, **more: str) -> dict[str, str]:
    return {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": adql, **more}


async def ask(client: aiohttp.ClientSession, service: Service, adql: str) -> bytes:
    """Answer of a sync query; fails when it is no table."""
    async with client.post(f"{service.address}/sync", data=_question(adql)) as answer:
        content = await answer.read()
    assert answer.status == 200, content[:2000]
    assert b'value="ERROR"' not in content[:20_000], content[:2000]
    return content


async def cone_times(service: Service, clients: int, seconds: float) -> dict[str, float]:
    """Cones of half a degree from some clients at once: their number a second, and the quantiles of their times."""
    times: list[float] = []
    begin = time.perf_counter()

    async def one(which: int) -> None:
        # The client shares the cores with the service: a lean one measures less of itself.
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as client:
            number = which * 100_000
            while time.perf_counter() - begin < seconds:
                start = time.perf_counter()
                await ask(client, service, cone(service, number, 0.5))
                times.append(time.perf_counter() - start)
                number += 1

    await asyncio.gather(*(one(which) for which in range(clients)))
    took = time.perf_counter() - begin
    ordered = sorted(times)
    return {
        "a second": len(times) / took,
        "p50 ms": 1e3 * statistics.median(ordered),
        "p95 ms": 1e3 * ordered[int(0.95 * (len(ordered) - 1))],
    }


async def upload_join(service: Service, upload: bytes) -> tuple[float, int]:
    """Seconds of a sync cross-match with an uploaded table, and the number of pairs."""
    adql = (
        f"SELECT u.number, s.id FROM {service.table} AS s JOIN TAP_UPLOAD.mine AS u "
        "ON 1=CONTAINS(POINT('ICRS', s.ra, s.dec), CIRCLE('ICRS', u.ra, u.dec, 0.0005555555555555556))"
    )
    question = _question(adql, UPLOAD="mine,param:table", MAXREC="100000", RESPONSEFORMAT="csv")
    async with httpx.AsyncClient(timeout=120) as client:
        start = time.perf_counter()
        answer = await client.post(
            f"{service.address}/sync",
            data=question,
            files={"table": ("mine.xml", upload, "application/x-votable+xml")},
        )
        took = time.perf_counter() - start
    assert answer.status_code == 200, answer.text[:2000]
    return took, len(answer.text.strip().splitlines()) - 1


async def async_round_trip(service: Service) -> float:
    """Seconds from the creation of a job to its result in hand, asked with WAIT."""
    async with httpx.AsyncClient(timeout=60) as client:
        start = time.perf_counter()
        made = await client.post(
            f"{service.address}/async",
            data=_question(f"SELECT TOP 100 * FROM {service.table}"),
        )
        assert made.status_code == 303, made.text[:2000]
        job = str(made.headers["location"])
        await client.post(f"{job}/phase", data={"PHASE": "RUN"})
        while True:
            state = await client.get(job, params={"WAIT": "10"})
            if "COMPLETED" in state.text:
                break
            assert "ERROR" not in state.text, state.text[:2000]
            assert time.perf_counter() - start < 60, state.text[:2000]
        result = await client.get(f"{job}/results/result")
        assert result.status_code == 200
        return time.perf_counter() - start


async def whole_table(service: Service, form: str) -> tuple[float, int]:
    """Seconds and bytes of all rows in a format, read as they come."""
    size = 0
    async with httpx.AsyncClient(timeout=300) as client:
        start = time.perf_counter()
        question = _question(f"SELECT * FROM {service.table}", RESPONSEFORMAT=form, MAXREC="300000")
        async with client.stream("POST", f"{service.address}/sync", data=question) as answer:
            assert answer.status_code == 200
            async for chunk in answer.aiter_raw():
                size += len(chunk)
        return time.perf_counter() - start, size
