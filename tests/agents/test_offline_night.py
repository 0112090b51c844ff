"""``paws reduce`` with the built-in engine on a small simulated night."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DATE = "20260312"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """One field, one exposure, two biases, in both arms."""
    folder = tmp_path_factory.mktemp("night")
    plan = ("--date", DATE, "--fields", "1", "--exposures", "1", "--biases", "2", "--darks", "0")
    subprocess.run(
        [sys.executable, "-m", "simulator", str(folder), *plan, "--seed", "4", "--jobs", "2"],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("out")


def paws_reduce(night, out, jobs=2):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAWS_")}
    found = subprocess.run(
        [
            *(sys.executable, "-m", "paws", "reduce", str(night), "--out", str(out)),
            *("--jobs", str(jobs), "--keep-intermediate", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return json.loads(found.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def told(night, out):
    return paws_reduce(night, out)


def files(out):
    return {str(path.relative_to(out)) for path in out.rglob("*.fits")}


def flat_of(out, grating):
    """Stem of the flat that was chosen: it depends on how well each is exposed."""
    (path,) = out.glob(f"p*/{grating}/s1/*/FLAT*tlm.fits")
    return path.parent.relative_to(out), path.name.removesuffix("tlm.fits")


def test_every_frame_has_its_product_where_the_live_system_has_it(told, out):
    assert (told["frames"], told["failed"], told["waiting"], told["rejected"]) == (12, 0, 0, 0)
    assert told["reduced"] + told["set_aside"] == 12
    expected, where = set(), {}
    for ccd, grating in ((1, "580V"), (2, "385R")):
        calibration = f"calibration/{DATE}/ccd_{ccd}"
        expected |= {
            f"{calibration}/BIAS{run}{kind}.fits" for run in ("0001", "0002") for kind in ("im", "red")
        }
        expected.add(f"{calibration}/BIAScombined.fits")
        folder, flat = flat_of(out, grating)
        where[grating] = folder
        expected.add(f"{folder}/{flat}tlm.fits")
        expected |= {
            f"{folder}/{stem}{kind}.fits"
            for stem in (flat, "ARC0005", "OBJ0006")
            for kind in ("im", "ex", "red")
        }
    plate, *_, name = where["580V"].parts
    assert name.startswith(f"{DATE}-")
    assert where["385R"] == Path(plate, "385R", "s1", name)
    expected.add(f"{plate}/spliced/{name}-580V-s1-385R-s1-OBJ0006red.fits")
    assert files(out) == expected
    assert told["products"] == 15


def test_products_are_spectra_that_say_how_they_were_made(told, out):
    folder, flat = flat_of(out, "385R")
    with fits.open(out / folder / "OBJ0006red.fits") as hdus:
        assert hdus[0].shape == (400, 2048)
        assert len(hdus["FIBRES"].data) == 400
        assert hdus[0].header["PAWSENG"].startswith("builtin")
        assert not hdus[0].header["PAWSPROV"]
        run = flat.removeprefix("FLAT")
        assert any(f"fflat: 12mar2{run}red.fits" in line for line in hdus[0].header["HISTORY"])
        lit = np.isin(hdus["FIBRES"].data["TYPE"], ["P", "S"])
        assert np.isfinite(hdus[0].data[lit, 100:-100]).mean() > 0.95
    quality = json.loads((out / folder / "OBJ0006red.quality.json").read_text())
    assert quality["traces_found"] > 350


def test_a_second_run_does_nothing(told, night, out):
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.fits")}
    again = paws_reduce(night, out)
    assert (told["reductions_made"], again["reductions_made"]) == (15, 0)
    same = ("frames", "reduced", "set_aside", "products")
    assert [again[name] for name in same] == [told[name] for name in same]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.fits")} == before


def test_products_do_not_depend_on_the_number_of_processes(told, night, out, tmp_path):
    paws_reduce(night, tmp_path / "one", jobs=1)
    different = []
    for name in sorted(files(out)):
        with fits.open(out / name) as one, fits.open(tmp_path / "one" / name) as other:
            different += [
                (name, hdu.name)
                for hdu, again in zip(one, other, strict=True)
                if hdu.data is not None and hdu.data.tobytes() != again.data.tobytes()
            ]
    assert different == []
