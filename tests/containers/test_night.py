"""A small field, wholly: the same products through Docker as without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from astropy.io import fits

from agents.reducer.engines.docker import DockerEngine
from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.runner import Runner
from paws.database import open_pool
from paws.engines import engine_reference
from schemas.vocabulary import FrameClass, ReductionKind
from tests.containers.daemons import QUICKLOOK
from tests.support.rawfiles import raw_frame, red
from tests.support.reductions import add_frame, ask_for, frame_of, reduction_of

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """One field, one exposure, two biases, in both arms."""
    folder = tmp_path_factory.mktemp("night")
    plan = ("--date", "20260312", "--fields", "1", "--exposures", "1", "--biases", "2", "--darks", "0")
    subprocess.run(
        [sys.executable, "-m", "simulator", str(folder), *plan, "--seed", "4", "--jobs", "2"],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return folder


def _reduce(night, out, engine):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAWS_")}
    environment["PAWS_ENGINES"] = json.dumps({"quicklook": f"docker:{QUICKLOOK}"})
    command = ["paws", "reduce", str(night), "--out", str(out), "--engine", engine, "--jobs", "2", "--json"]
    found = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, timeout=600, env=environment
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return json.loads(found.stdout.splitlines()[-1])


def _content(hdu):
    if hdu.name == "REDUCTION_ARGS":
        # The one argument that differs: what is not a product is not even written without Docker.
        return [tuple(row) for row in hdu.data if row[0] != "KEEP_INTERMEDIATE"]
    return hdu.data.tobytes()


def test_a_field_gives_the_same_products_in_docker(quicklook_image, night, tmp_path, ours):
    told = {engine: _reduce(night, tmp_path / engine, engine) for engine in ("builtin", "quicklook")}
    for name in ("frames", "reduced", "failed", "waiting", "products", "reductions_made"):
        assert told["quicklook"][name] == told["builtin"][name]
    names = {
        engine: sorted(
            str(path.relative_to(tmp_path / engine)) for path in (tmp_path / engine).rglob("*.fits")
        )
        for engine in told
    }
    assert names["quicklook"] == names["builtin"]
    assert len(names["builtin"]) == 15
    different = []
    for name in names["builtin"]:
        with fits.open(tmp_path / "builtin" / name) as one, fits.open(tmp_path / "quicklook" / name) as other:
            assert other[0].header["PAWSENG"] == f"quicklook: {QUICKLOOK}"
            different += [
                (name, hdu.name)
                for hdu, again in zip(one, other, strict=True)
                if hdu.data is not None and _content(hdu) != _content(again)
            ]
    assert different == []
    assert ours() == []


async def test_a_runner_reduces_in_a_container(database, quicklook_image, settings_of, tmp_path):
    settings = settings_of(QUICKLOOK, docker_memory=2048, docker_scratch=64)
    engine = DockerEngine(settings, engine_reference(settings))
    path = tmp_path / "raw frames" / "12mar20001.fits"
    path.parent.mkdir()
    path.write_bytes(raw_frame("BIAS", seed=1, **red(OBSTYPE="BIAS", RUNCMD="BIAS", EXPOSED=0.0, RUN=1)))
    truncated = path.with_name("12mar20002.fits")
    truncated.write_bytes(path.read_bytes()[:100_000])
    async with open_pool(database) as pool:
        await engine.start()
        try:
            runner = Runner(settings=database, pool=pool, engine=engine, identity=runner_identity())
            rows = []
            for raw in (path, truncated):
                frame = frame_of(raw, FrameClass.BIAS)
                await add_frame(pool, frame)
                reduction = reduction_of(ReductionKind.REDUCE_BIAS, [frame], engine=engine.name)
                await ask_for(pool, reduction)
                await runner.reduce(reduction.job_key)
                rows.append(
                    await pool.fetchrow("SELECT * FROM reduction WHERE job_key = $1", reduction.job_key)
                )
            payloads = await pool.fetch(
                "SELECT payload FROM outbox WHERE topic = 'status.events' ORDER BY id"
            )
        finally:
            await engine.close()
    good, bad = rows
    assert good["state"] == "succeeded", good["error"]
    assert (bad["state"], bad["outcome"], bad["error_code"]) == ("failed", "invalid_input", "engine_refused")
    assert "Command: aaorun reduce_bias 12mar20002.fits" in bad["error"]
    product = database.products_dir / "calibration" / "20260312" / "ccd_2" / "BIAS0001red.fits"
    with fits.open(product) as hdus:
        assert hdus[0].header["PAWSENG"] == "test: test 1"
    assert any("stage" in json.dumps(row["payload"]) for row in payloads)
    log = (database.data_dir / good["log_path"]).read_text()
    assert 'Action "EXIT"' in log
