"""How soon a reduced spectrum is found in ObsCore, asked as anybody asks: by TAP, again and again, while a night runs.

    paws demo --exit-when-done --data FOLDER --port 8123 &
    python -m tests.benchmarks.obscore_delay http://127.0.0.1:8123 [SECONDS]

A product counts from its registration (obs_creation_date, by the database's clock) to the end of the first answer that
has its spectra (by ours: the same machine's). Prints one JSON line, and ends when nothing has come for a while.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import httpx

QUERY = (
    "SELECT product_id, MAX(obs_creation_date) AS made, COUNT(*) AS n FROM ivoa.obscore GROUP BY product_id"
)
PAUSE = 0.1
QUIET = 90.0


async def watch(address: str, seconds: float) -> dict[str, object]:
    """Ask until `seconds` are over, or nothing new has come for `QUIET` seconds since the first."""
    delays: dict[str, float] = {}
    answers: list[float] = []
    begun = last = time.time()
    async with httpx.AsyncClient(timeout=20) as client:
        while time.time() - begun < seconds and not (delays and time.time() - last > QUIET):
            asked = time.time()
            try:
                answer = await client.post(
                    f"{address}/tap/sync", data={"LANG": "ADQL", "FORMAT": "csv", "QUERY": QUERY}
                )
            except httpx.TransportError:
                await asyncio.sleep(0.5)  # not up yet, or not any more
                continue
            now = time.time()
            if answer.status_code != 200:
                await asyncio.sleep(0.5)
                continue
            answers.append(now - asked)
            for line in answer.text.splitlines()[1:]:
                product, made, _spectra = line.split(",")
                if product not in delays:
                    registered = datetime.fromisoformat(made.rstrip("Z")).replace(tzinfo=UTC).timestamp()
                    delays[product] = now - registered
                    last = now
            await asyncio.sleep(PAUSE)
    return {
        "products": len(delays),
        "delay_p50": _percentile(list(delays.values()), 0.5),
        "delay_p95": _percentile(list(delays.values()), 0.95),
        "delay_max": max(delays.values(), default=None),
        "queries": len(answers),
        "query_p50": _percentile(answers, 0.5),
    }


def _percentile(values: list[float], part: float) -> float | None:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 4) if ordered else None


if __name__ == "__main__":
    print(json.dumps(asyncio.run(watch(sys.argv[1].rstrip("/"), float((*sys.argv, "600")[2])))))
