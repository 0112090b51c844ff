"""The benchmark's own arithmetic: conditions by name, refusals, and the step of a splice."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from astropy.io import fits

from paws.bench.conditions import CASES, chosen
from paws.bench.fidelity import GOALS, _leak
from paws.bench.field import Arm, BenchError
from paws.bench.refusals import DOCTORED, refusals
from paws.bench.splicing import splice_step
from paws.bench.table import show


def test_conditions_are_chosen_by_name():
    assert [case.name for case in chosen("ordinary, drift")] == ["ordinary", "drift"]
    assert chosen("all") == CASES
    with pytest.raises(BenchError, match="'rain' is no condition; choose all or some of ordinary"):
        chosen("drift,rain")


class Reader:
    """Stands for the reducer: refuses what its header shows, and falls over the rest."""

    def attempt(self, folder, *argv):
        with fits.open(folder / argv[1], memmap=False) as hdus:
            window, shape = hdus[0].header["WINDOW"], hdus[0].data.shape
        if "BIN" in window:
            return 2, "AAO: working\nAAO: Error: the read-out is binned\n"
        if shape != (60, 2070):
            return 1, "AAO: Error: internal fault in x.py\n"
        return 0, "AAO: done\n"


def test_only_a_refusal_with_a_reason_counts(tmp_path):
    folder = tmp_path / "raw" / "260312" / "ccd_1"
    folder.mkdir(parents=True)
    hdu = fits.PrimaryHDU(np.full((60, 2070), 400, dtype=np.uint16))
    hdu.header["WINDOW"], hdu.header["INSTRUME"] = "AAOMEGA_2DF", "AAOMEGA-2dF"
    hdu.writeto(folder / "12mar10001.fits")
    found = {each["condition"]: each for each in refusals(Reader(), tmp_path, tmp_path / "refused")}
    assert set(found) == set(DOCTORED)
    assert found["binned"] == {"condition": "binned", "refused": True, "reason": "the read-out is binned"}
    assert not found["windowed"]["refused"]
    assert not found["another instrument"]["refused"]


def arms(folder, step: float, colour: float = 0.0, blank=()):
    """Truth of a blue and a red exposure of flat sources, and a spliced frame with a step.

    Rows ``blank`` receive nothing but sky.
    ``colour`` lets the red arm grow more sensitive along the spectrum; the spliced light is that of both together.
    """
    grids = {"blue": 5000.0 + np.arange(800.0), "red": 5600.0 + 1.5 * np.arange(800.0)}
    sources = np.linspace(1.0, 3.0, 100)[:, np.newaxis]
    made = []
    for ccd, (arm, wave) in enumerate(grids.items(), 1):
        width = np.gradient(wave)
        sensitivity = {"blue": 1.0, "red": 1.4 * np.exp(colour * (wave - 5700.0) / 100.0)}[arm]
        share = 1.0 / (1.0 + np.exp((wave - 5700.0) / 30.0 * (1 if arm == "blue" else -1)))
        electrons, sky = sources * width * share * sensitivity, np.zeros((100, len(wave)))
        electrons[blank, :] = sky[blank, :] = 0.5
        np.savez(
            folder / f"f{ccd}.npz",
            wavelength=np.tile(wave, (100, 1)),
            electrons=electrons,
            sky_electrons=sky,
            dichroic=np.tile(share, (100, 1)),
        )
        made.append(Arm(folder, arm, science=[f"f{ccd}"]))
    grid = 5000.0 + np.arange(1790.0)
    share = 1.0 / (1.0 + np.exp((grid - 5700.0) / 30.0))
    together = share + (1.0 - share) * np.exp(colour * (grid - 5700.0) / 100.0)
    flux = np.tile(sources, (1, len(grid))) * together * np.where(grid < 5700.0, 1.0, 1.0 + step)
    primary = fits.PrimaryHDU(flux)
    primary.header["CRVAL1"], primary.header["CRPIX1"], primary.header["CDELT1"] = 5000.0, 1.0, 1.0
    table = fits.BinTableHDU.from_columns([fits.Column("TYPE", "1A", array=np.full(100, "P"))], name="FIBRES")
    fits.HDUList([primary, table]).writeto(folder / "spliced.fits", overwrite=True)
    return folder / "spliced.fits", *made


@pytest.mark.parametrize("step", [0.0, 0.05, -0.2])
def test_the_step_of_a_splice_is_found(tmp_path, step):
    spliced, blue, red = arms(tmp_path, step)
    assert splice_step(spliced, blue, red, tmp_path) == pytest.approx(step, abs=0.002)


@pytest.mark.parametrize("step", [0.0, 0.05])
def test_a_red_arm_of_another_colour_makes_no_step_of_its_own(tmp_path, step):
    spliced, blue, red = arms(tmp_path, step, colour=0.07)
    assert splice_step(spliced, blue, red, tmp_path) == pytest.approx(step, abs=0.002)


@pytest.mark.parametrize(
    ("step", "noise", "known"), [(0.05, 0.005, True), (0.05, 0.2, False), (-0.5, 0.1, True)]
)
def test_a_step_is_known_only_where_noise_of_the_sky_does_not_decide_it(tmp_path, step, noise, known):
    spliced, blue, red = arms(tmp_path, step, blank=range(0, 100, 20))
    with fits.open(spliced, mode="update") as hdus:
        # Five sky fibres, of which each keeps a level that noise made; one tells nothing of the blue side.
        hdus["FIBRES"].data["TYPE"][::20] = "S"
        hdus[0].data[::20] = noise * np.random.default_rng(3).standard_normal((5, 1))
        hdus[0].data[40, :700] = np.nan
    found = splice_step(spliced, blue, red, tmp_path)
    assert found == pytest.approx(step if known else math.nan, abs=0.002, nan_ok=True)


def test_an_object_among_the_sky_fibres_is_not_taken_for_noise(tmp_path):
    spliced, blue, red = arms(tmp_path, 0.05, blank=range(0, 100, 20))
    with fits.open(spliced, mode="update") as hdus:
        hdus["FIBRES"].data["TYPE"][::20] = "S"
        hdus["FIBRES"].data["TYPE"][50] = "S"
        hdus[0].data[::20] = 0.005 * np.random.default_rng(3).standard_normal((5, 1))
    assert splice_step(spliced, blue, red, tmp_path) == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("fields", [2, 12])
def test_tables_show_every_field_what_is_missing_and_what_failed(capsys, fields):
    figures = {goal.name: goal.high for goal in GOALS} | {"leak": math.nan}
    results = [
        {"condition": f"c{i}", "grating": "580V", "seed": i, "figures": figures} for i in range(fields)
    ]
    results.append({"condition": "worse", "grating": "385R", "seed": 1, "figures": {}, "failed": "no light"})
    show(results, [{"condition": "binned", "refused": True, "reason": "because"}])
    out = capsys.readouterr().out
    assert all(f"c{i}" in out for i in range(fields))
    assert "no light" in out
    assert "because" in out


def test_json_has_null_for_what_could_not_be_measured():
    from paws.commands.bench import _plain

    plain = _plain([{"condition": "x", "figures": {"leak": math.nan, "pull_std": 1.0}}])
    assert json.loads(json.dumps(plain, allow_nan=False))[0]["figures"] == {"leak": None, "pull_std": 1.0}


@pytest.mark.parametrize(("noise", "expected"), [(1.0, 0.004), (300.0, math.nan)])
def test_a_leak_is_known_only_where_noise_does_not_decide_it(noise, expected):
    rng = np.random.default_rng(5)
    neighbours = rng.uniform(100.0, 900.0, (60, 400))
    excess = 0.004 * neighbours + rng.normal(0.0, noise, neighbours.shape)
    # What all pixels of a fibre share is an error as well.
    excess += noise * rng.normal(0.0, 0.1, (60, 1))
    faint = rng.random(neighbours.shape) < 0.7
    assert _leak(neighbours, excess, faint) == pytest.approx(expected, abs=0.001, nan_ok=True)
