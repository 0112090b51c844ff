"""The runner with the real engines: quicklook in warm processes, and as an ``aaorun`` on PATH."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from astropy.io import fits

from agents.reducer.engines.builtin import BuiltinEngine
from agents.reducer.engines.local import LocalEngine
from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.runner import Runner
from schemas.reductions import ProductInput
from schemas.vocabulary import FrameClass, ProductKind, ReductionKind
from tests.support.rawfiles import raw_frame, red
from tests.support.reductions import NIGHT, add_frame, ask_for, frame_of, reduction_of

pytestmark = pytest.mark.slow


@pytest.fixture(params=["builtin", "local"])
async def engine(request, tmp_path, monkeypatch):
    if request.param == "builtin":
        engine = BuiltinEngine(slots=1)
    else:
        # As 2dFdr is found: a program named aaorun on PATH.
        folder = tmp_path / "2dfdr_install" / "bin"
        folder.mkdir(parents=True)
        program = Path(sys.executable).with_name("paws-aaorun")
        assert program.exists(), "paws-aaorun is not installed beside this Python"
        (folder / "aaorun").symlink_to(program)
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        assert shutil.which("aaorun") == str(folder / "aaorun")
        engine = LocalEngine("aaorun")
    await engine.start()
    yield engine
    await engine.close()


async def test_biases_are_reduced_and_combined(database, pool, engine, tmp_path):
    runner = Runner(settings=database, pool=pool, engine=engine, identity=runner_identity())
    inputs = []
    for run in (1, 2):
        path = tmp_path / "raw frames" / f"12mar2{run:04d}.fits"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            raw_frame("BIAS", seed=run, **red(OBSTYPE="BIAS", RUNCMD="BIAS", EXPOSED=0.0, RUN=run))
        )
        frame = frame_of(path, FrameClass.BIAS)
        await add_frame(pool, frame)
        reduction = reduction_of(ReductionKind.REDUCE_BIAS, [frame], engine=engine.name)
        await _reduce(pool, runner, reduction)
        inputs.append(ProductInput(job_key=reduction.job_key, kind=ProductKind.BIAS))
    combined = reduction_of(
        ReductionKind.COMBINE_IMAGE, inputs=inputs, slot=f"{NIGHT}/2/combined_bias/s1", engine=engine.name
    )
    layout = combined.layout.model_copy(update={"arm": frame.arm})
    await _reduce(pool, runner, combined.model_copy(update={"layout": layout, "arm": frame.arm}))
    path = database.products_dir / "calibration" / NIGHT / "ccd_2" / "BIAScombined.fits"
    with fits.open(path) as hdus:
        assert hdus[0].shape == (4098, 2048)
        assert hdus[0].header["PAWSJOB"] == combined.job_key
        assert hdus[0].header["PAWSENG"].startswith(engine.name)


async def _reduce(pool, runner, reduction):
    await ask_for(pool, reduction)
    await runner.reduce(reduction.job_key)
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT state, error FROM reduction WHERE job_key = $1", reduction.job_key
        )
    assert row["state"] == "succeeded", row["error"]
