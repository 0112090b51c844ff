"""A whole run on raw files, with an engine that writes small products at once."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from click.testing import CliRunner

from agents.offline import main
from agents.offline.command import reduce
from agents.offline.done import DoneProduct
from agents.offline.main import OutputBusyError, Request, reduce_night
from agents.offline.workshop import intermediate_paths
from paws.embedded.lock import DataLock
from paws.errors import InvalidInputError
from paws.settings import load_settings
from schemas.vocabulary import FrameState, ProductKind
from tests.support.rawfiles import raw_frame
from tests.support.reductions import FakeEngine

FIELD = "p1/580V/s1/20260312-FLD195_v03-p1"
PRODUCTS = {
    "calibration/20260312/ccd_1/BIAS0001red.fits",
    f"{FIELD}/FLAT0002tlm.fits",
    f"{FIELD}/FLAT0002red.fits",
    f"{FIELD}/ARC0003red.fits",
    f"{FIELD}/OBJ0004red.fits",
}


class Engine(FakeEngine):
    """Also leaves what quicklook leaves besides. `refuses` fails a verb."""

    def __init__(self, refuses=""):
        super().__init__()
        self.refuses = refuses
        self.started = 0

    async def start(self):
        self.started += 1

    async def run(self, command, cwd, on_line, deadline):
        if command[0] == self.refuses:
            self.behaviour[len(self.commands) + 1] = lambda _cwd: 1
        result = await super().run(command, cwd, on_line, deadline)
        stem = command[1].removesuffix(".fits")
        suffix = "tlm" if command[0] == "make_tlm" else "red"
        (cwd / f"{stem}{suffix}.quality.json").write_text("{}")
        if command[command.index("-KEEP_INTERMEDIATE") + 1] == "1":
            for kind in ("im", "ex"):
                (cwd / f"{stem}{kind}.fits").write_bytes(b"made")
        return result


class Silent:
    """Remembers what it was told last."""

    def scanned(self, done, total):
        self.files = (done, total)

    def reduced(self, done, total):
        self.reductions = (done, total)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A bias, a flat, an arc, an exposure; and a file that is cut off."""
    folder = tmp_path_factory.mktemp("raw") / "260312" / "ccd_1"
    folder.mkdir(parents=True)
    for run, (kind, facts) in enumerate(
        {
            "BIAS": {"EXPOSED": 0.0},
            "MFFFF": {"EXPOSED": 5.0},
            "MFARC": {"EXPOSED": 30.0},
            "MFOBJECT": {},
        }.items(),
        start=1,
    ):
        content = raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, **facts)
        (folder / f"12mar1{run:04d}.fits").write_bytes(content)
    (folder / "12mar10005.fits").write_bytes(b"SIMPLE  =                    T")
    return folder.parent


@pytest.fixture
def engine(monkeypatch):
    engine = Engine()
    monkeypatch.setattr(main, "create_engine", lambda _settings: engine)
    return engine


async def run(raw, out, keep=False, watcher=None):
    settings = load_settings(data_dir=out / main.KEEPING, runner_slots=2, runner_backoff=0.01)
    return await reduce_night(Request(raw, out, 2, keep), settings, watcher or Silent())


def text_of(path):
    return Path(path).read_text()


def files(out, pattern="*.fits"):
    return {str(path.relative_to(out)) for path in out.rglob(pattern)}


async def test_a_night_lies_as_the_live_system_lays_it(raw, tmp_path, engine):
    watcher = Silent()
    summary = await run(raw, tmp_path / "out", watcher=watcher)
    assert files(tmp_path / "out") == PRODUCTS
    assert files(tmp_path / "out", "*.quality.json") == {
        name.replace(".fits", ".quality.json") for name in PRODUCTS
    }
    assert [item.code for item in summary.rejected] == ["truncated"]
    assert (summary.count(FrameState.REDUCED), summary.products, summary.made) == (4, 5, 5)
    assert summary.exit_status == 0
    assert (watcher.files, watcher.reductions) == ((5, 5), (5, 5))
    with fits.open(tmp_path / "out" / FIELD / "OBJ0004red.fits") as hdus:
        assert len(hdus[0].header["PAWSJOB"]) == 64
        assert any("fflat: 12mar10002red.fits" in line for line in hdus[0].header["HISTORY"])


async def test_a_second_run_does_nothing(raw, tmp_path, engine):
    await run(raw, tmp_path / "out")
    engine.commands.clear()
    engine.started = 0
    summary = await run(raw, tmp_path / "out")
    assert (engine.commands, engine.started) == ([], 0)
    assert (summary.count(FrameState.REDUCED), summary.products, summary.made) == (4, 5, 0)
    assert summary.exit_status == 0


async def test_a_lost_product_is_made_again_and_nothing_else(raw, tmp_path, engine):
    await run(raw, tmp_path / "out")
    (tmp_path / "out" / FIELD / "ARC0003red.fits").unlink()
    engine.commands.clear()
    await run(raw, tmp_path / "out")
    assert [command[0] for command in engine.commands] == ["reduce_arc"]
    assert files(tmp_path / "out") == PRODUCTS


async def test_intermediate_frames_are_laid_beside_when_asked_for(raw, tmp_path, engine):
    await run(raw, tmp_path / "out")
    summary = await run(raw, tmp_path / "out", keep=True)
    assert summary.made == 5
    beside = {
        f"{FIELD}/{stem}{kind}.fits" for stem in ("FLAT0002", "ARC0003", "OBJ0004") for kind in ("im", "ex")
    }
    beside |= {f"calibration/20260312/ccd_1/BIAS0001{kind}.fits" for kind in ("im", "ex")}
    assert files(tmp_path / "out") == PRODUCTS | beside
    assert (await run(raw, tmp_path / "out", keep=True)).made == 0
    assert (await run(raw, tmp_path / "out")).made == 0


async def test_a_failure_names_its_log_and_is_tried_again_in_the_next_run(raw, tmp_path, engine):
    engine.refuses = "reduce_arc"
    summary = await run(raw, tmp_path / "out")
    (failure,) = summary.failures
    assert "reduce_arc failed with status 1: the last line" in failure.error
    assert "reduce_arc" in text_of(failure.log)
    assert summary.count(FrameState.FAILED) == 3  # the flat and the exposure need the arc
    assert summary.exit_status == 1
    assert any(line.startswith("failed reduce_arc 20260312/1/0003/arc: ") for line in summary.lines())
    engine.refuses = ""
    again = await run(raw, tmp_path / "out")
    assert (again.made, again.exit_status) == (3, 0)
    assert files(tmp_path / "out") == PRODUCTS


async def test_what_may_pass_is_tried_again_at_once(raw, tmp_path, engine):
    def fills_up(_cwd):
        raise OSError(28, "No space left on device")

    engine.behaviour[1] = fills_up
    summary = await run(raw, tmp_path / "out")
    assert (summary.made, summary.exit_status) == (5, 0)
    assert len(engine.commands) == 6


async def test_what_a_killed_run_left_is_cleared_away(raw, tmp_path, engine):
    out = tmp_path / "out"
    await run(raw, out)
    work = out / ".paws" / "work" / "aaaa-1"
    work.mkdir(parents=True)
    (work / ".owner.json").write_text(json.dumps({"runner": "nowhere/1/1"}))
    torn = out / FIELD / ".OBJ0004red.fits.0123abcd"
    torn.write_bytes(b"half")
    foreign = out / FIELD / ".notes.txt"
    foreign.write_text("mine")
    await run(raw, out)
    assert not torn.exists()
    assert not work.exists()
    assert foreign.exists()


async def test_two_runs_do_not_meet_in_one_folder(raw, tmp_path, engine):
    out = tmp_path / "out"
    with DataLock(out / ".paws"), pytest.raises(OutputBusyError, match=f"in use by process {os.getpid()}"):
        await run(raw, out)


async def test_products_do_not_go_among_raw_frames(raw, engine):
    with pytest.raises(InvalidInputError, match="Name another folder with --out"):
        await run(raw, raw)


async def test_an_interrupted_run_ends_what_it_began(raw, tmp_path, engine):
    async def hangs(_cwd):
        await asyncio.sleep(60)

    engine.behaviour[1] = hangs
    task = asyncio.create_task(run(raw, tmp_path / "out"))
    await asyncio.wait_for(engine.begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "out" / ".paws" / "work").iterdir()) == []
    assert (await run(raw, tmp_path / "out")).exit_status == 0


def test_the_command_ends_with_one_object_and_the_right_status(raw, tmp_path, engine):
    options = [str(raw), "--out", str(tmp_path / "out"), "--jobs", "2", "--json"]
    result = CliRunner().invoke(reduce, options)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert {
        name: told[name] for name in ("frames", "reduced", "set_aside", "failed", "waiting", "products")
    } == {
        "frames": 4,
        "reduced": 4,
        "set_aside": 0,
        "failed": 0,
        "waiting": 0,
        "products": 5,
    }
    assert told["rejected"] == 1
    assert told["rejections"][0]["code"] == "truncated"
    assert told["seconds"] > 0


def test_the_command_says_when_there_is_nothing_to_reduce(tmp_path, engine):
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(reduce, [str(tmp_path / "empty"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "There is no raw frame to reduce." in result.output


def test_the_command_fails_when_science_lacks_calibrations(raw, tmp_path, engine):
    (tmp_path / "night").mkdir()
    shutil.copy(raw / "ccd_1" / "12mar10004.fits", tmp_path / "night")
    result = CliRunner().invoke(reduce, [str(tmp_path / "night"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "failed 12mar10004.fits: there is no tramline map" in result.output


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("p1/OBJ0004red.fits", "p1/OBJ0004"),
        ("p1/FLAT0002tlm.fits", "p1/FLAT0002"),
    ],
)
def test_intermediate_frames_lie_beside_their_product(path, stem):
    product = DoneProduct(kind=ProductKind.OBJECT, path=path, made_name="x", checksum="c" * 64, size_bytes=1)
    assert [(made, str(place)) for made, place in intermediate_paths(["12mar10004.fits"], [product])] == [
        ("12mar10004im.fits", f"{stem}im.fits"),
        ("12mar10004ex.fits", f"{stem}ex.fits"),
    ]
    assert list(intermediate_paths([], [product])) == []
