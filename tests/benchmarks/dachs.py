"""GAVO DaCHS of Debian's packages, as the peer beside which our TAP is measured. Run beside it, never imported.

``apt-get install gavodachs2-server`` with a running PostgreSQL cluster makes its database. Everything here is done
by its own command, as its own account.
"""

from __future__ import annotations

import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.stars import Service

ACCOUNT = "dachsroot"
SERVER = "gavo"
INPUTS = Path("/var/gavo/inputs/bench")
ADDRESS = "http://localhost:8080"
START_DEADLINE = 90.0

_MAGNITUDES = "\n".join(
    f'<column name="m{band}" type="real" unit="mag" ucd="phot.mag" description="magnitude {band}"/>'
    for band in range(1, 7)
)
_DESCRIPTION = f"""<resource schema="bench">
<meta name="title">Stars</meta><meta name="creationDate">2026-01-01T00:00:00Z</meta>
<meta name="description">A table to measure with.</meta><meta name="subject">surveys</meta>
<table id="stars" onDisk="True" adql="True" mixin="//scs#pgs-pos-index" primary="id">
<column name="id" type="bigint" required="True" ucd="meta.id;meta.main" description="number"/>
<column name="ra" type="double precision" unit="deg" ucd="pos.eq.ra;meta.main" description="right ascension"/>
<column name="dec" type="double precision" unit="deg" ucd="pos.eq.dec;meta.main" description="declination"/>
{_MAGNITUDES}
<column name="name" type="text" ucd="meta.id" description="name"/>
</table>
<data id="import"><sources>stars.csv</sources><csvGrammar/>
<make table="stars"><rowmaker idmaps="*"/></make></data>
</resource>
"""


def is_here() -> bool:
    """Whether DaCHS is installed with its account."""
    return shutil.which("dachs") is not None and any(entry.pw_name == ACCOUNT for entry in pwd.getpwall())


def take_in(csv: Path) -> float:
    """Import the table, and say the seconds it took."""
    INPUTS.mkdir(parents=True, exist_ok=True)
    shutil.copy(csv, INPUTS / "stars.csv")
    (INPUTS / "q.rd").write_text(_DESCRIPTION)
    for path in (INPUTS, *INPUTS.iterdir()):
        shutil.chown(path, ACCOUNT)
    start = time.perf_counter()
    done = subprocess.run(
        ["dachs", "imp", "bench/q"],
        user=ACCOUNT,
        cwd=INPUTS,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode:
        raise RuntimeError(f"dachs imp failed: {done.stderr[-2000:]}")
    return time.perf_counter() - start


@contextmanager
def serving(log: Path) -> Iterator[Service]:
    """DaCHS's server, ended afterwards."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["dachs", "serve", "debug"],
            user=SERVER,
            cwd="/var/gavo",
            env=_environment(),
            stdout=file,
            stderr=file,
        )
    try:
        _await(process, log)
        yield Service("DaCHS", f"{ADDRESS}/tap", "bench.stars")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while True:
        try:
            if httpx.get(f"{ADDRESS}/tap/availability", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"dachs serve did not start: {log.read_text()[-2000:]}")
        time.sleep(0.3)


def _environment() -> dict[str, str]:
    entry = pwd.getpwnam(ACCOUNT)
    return {
        "HOME": entry.pw_dir,
        "USER": ACCOUNT,
        "LOGNAME": ACCOUNT,
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
    }
