"""A simulated field, both arms, from raw frames to spliced spectra, measured against its truth."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from quicklook import shelf, work
from quicklook.cli import run
from quicklook.products import Product
from quicklook.shelf import Shelf

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LINES = {"H beta": 4861.33, "[O III]": 5006.84, "H alpha": 6562.80}
ARMS = {"blue": 1, "red": 2}


def aaorun(folder: Path, *argv: str) -> str:
    out = io.StringIO()
    code = run([*argv, "-KEEP_INTERMEDIATE", "1"], cwd=folder, stdout=out)
    assert code == 0, out.getvalue()
    assert 'Action "EXIT"' in out.getvalue()
    return out.getvalue()


class WatchedShelf(Shelf):
    """A shelf that knows what its products held before anybody used them."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[object, int] = {}
        self.used: dict[str, set[str]] = {}
        self.changed: dict[str, set[str]] = {}

    def read(self, path, only=None):
        self.used.setdefault(self.verb, set()).add(Path(path).name)
        return super().read(path, only)

    def _keep(self, key, product):
        self.sums[key] = checksum(product)
        super()._keep(key, product)

    def watch(self, folder: Path, verb: str, *argv: str) -> None:
        """Run a command and look at everything that is kept."""
        self.verb = verb
        aaorun(folder, verb, *argv)
        changed = {Path(key[0]).name for key, each in self._kept.items() if checksum(each) != self.sums[key]}
        self.changed.setdefault(verb, set()).update(changed)


def checksum(product: Product) -> int:
    """Of all that a product holds."""
    found = zlib.crc32(repr(product.header).encode())
    for each in (product.data, product.variance, *product.extras.values()):
        values = each.data if isinstance(each, fits.BinTableHDU) else each
        found = found if values is None else zlib.crc32(np.ascontiguousarray(values).tobytes(), found)
    return found


@pytest.fixture(scope="module")
def kept():
    """The shelf of this process, which keeps products however fresh their files are."""
    watched = WatchedShelf()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "RIPE", -1.0)
        patch.setattr(work, "SHELF", watched)
        yield watched


def classified(folder: Path) -> dict[str, list[Path]]:
    frames: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.fits")):
        frames.setdefault(fits.getval(path, "NDFCLASS"), []).append(path)
    return frames


def best_flat(paths: list[Path]) -> Path:
    """The flat with most light that is not saturated."""

    def light(path: Path) -> float:
        level = float(np.percentile(fits.getdata(path)[::9, :2048:7], 99))
        return level if level < 55000 else -level

    return max(paths, key=light)


@pytest.fixture(scope="module")
def field(tmp_path_factory, kept):
    root = tmp_path_factory.mktemp("field")
    subprocess.run(
        [sys.executable, "-m", "simulator", str(root / "raw"), "--date", "20260312", "--fields", "1", "--exposures", "2",
         "--seed", "11", "--biases", "3", "--darks", "0", "--truth", str(root / "truth"), "--jobs", "1"],
        check=True, capture_output=True,
    )  # fmt: skip
    made: dict[str, Path] = {"truth": root / "truth"}
    for arm, ccd in ARMS.items():
        folder = root / "raw" / "260312" / f"ccd_{ccd}"
        frames = classified(folder)
        for bias in frames["BIAS"]:
            aaorun(folder, "reduce_bias", bias.name)
        biases = " ".join(f"{b.stem}red.fits" for b in frames["BIAS"])
        aaorun(folder, "combine_image", biases, "-COMBINEDFILE", "BIAScombined.fits")
        use = ["-BIAS_FILENAME", "BIAScombined.fits"]
        flat, arc = best_flat(frames["MFFFF"]), frames["MFARC"][0]
        tlm = ["-TLMAP_FILENAME", f"{flat.stem}tlm.fits"]
        kept.watch(folder, "make_tlm", flat.name, *use)
        kept.watch(folder, "reduce_arc", arc.name, *tlm, *use)
        wave = ["-WAVEL_FILENAME", f"{arc.stem}red.fits"]
        kept.watch(folder, "reduce_fflat", flat.name, *tlm, "-DO_TLMAP", "0", *wave, *use)
        for science in frames["MFOBJECT"]:
            kept.watch(
                folder,
                "reduce_object",
                science.name,
                *tlm,
                *wave,
                "-FFLAT_FILENAME",
                f"{flat.stem}red.fits",
                *use,
            )
        reduced = " ".join(f"{s.stem}red.fits" for s in frames["MFOBJECT"])
        aaorun(folder, "combine_spectra", reduced, "-COMBINEDFILE", f"combined_{arm}.fits")
        made[arm], made[f"{arm}_flat"], made[f"{arm}_arc"] = folder, flat, arc
        made[f"{arm}_object"] = frames["MFOBJECT"][0]
        if arm == "blue":
            again = [*tlm, *wave, *use, "-OUT_DIRNAME", "again"]
            (folder / "again").mkdir()
            for verb in ("make_im", "make_ex", "reduce_sky"):
                kept.watch(folder, verb, frames["MFOBJECT"][0].name, *again)
    both = f"{made['blue'] / 'combined_blue.fits'} {made['red'] / 'combined_red.fits'}"
    aaorun(root, "splice", both, "-OUTPUT_FILE", "spliced.fits")
    made["spliced"] = root / "spliced.fits"
    return made


@pytest.mark.parametrize("arm", ARMS)
def test_wavelengths(field, arm):
    folder, arc = field[arm], field[f"{arm}_arc"]
    truth = np.load(field["truth"] / f"{arc.stem}.npz")["wavelength"]
    with fits.open(folder / f"{arc.stem}red.fits") as red:
        found, used = red["WAVELA"].data * 10.0, red["ARCFIT"].data[1]
    error = (found - truth)[used > 3] / np.median(np.diff(truth))
    assert np.median(np.abs(error)) < 0.02
    assert np.percentile(np.sqrt((error**2).mean(axis=1)), 99) < 0.06
    quality = json.loads((folder / f"{arc.stem}red.quality.json").read_text())
    assert quality["arc_lines"] >= 25


@pytest.mark.parametrize("arm", ARMS)
def test_flux_throughput_and_sky(field, arm):
    folder, science = field[arm], field[f"{arm}_object"]
    truth = np.load(field["truth"] / f"{science.stem}.npz")
    with (
        fits.open(folder / f"{science.stem}ex.fits") as ex,
        fits.open(folder / f"{science.stem}red.fits") as red,
    ):
        kinds = np.char.strip(red["FIBRES"].data["TYPE"].astype(str))
        flux, variance = ex[0].data, ex["VARIANCE"].data
        throughput = red["THPUT"].data.ravel()
        sky, sky_fibres = red["SKY"].data.ravel(), red[0].data[kinds == "S"]
        assert [h.name for h in red][1:3] == ["VARIANCE", "FIBRES"]
        shift = (red["WAVELA"].data * 10.0 - truth["wavelength"]) / np.median(np.diff(truth["wavelength"]))
    live = np.isin(kinds, ["P", "S"]) & np.isfinite(throughput)
    bright = live[:, None] & (truth["electrons"] > 30 * np.sqrt(variance)) & np.isfinite(flux)
    assert np.median(flux[bright] / truth["electrons"][bright]) == pytest.approx(1.0, abs=0.02)
    ratio = throughput[live] / truth["throughput"][live]
    assert np.std(ratio / np.median(ratio)) < 0.02
    line = sky > 3 * np.nanmedian(sky)
    assert np.nanmedian(np.abs(sky_fibres[:, line] / sky[line])) < 0.05
    assert np.median(np.abs(shift[live])) < 0.05


def test_emission_lines_lie_where_the_redshift_says(field):
    targets = Table.read(field["truth"] / "targets.ecsv", format="ascii.ecsv")
    with fits.open(field["spliced"]) as spliced:
        header, data, variance = spliced[0].header, spliced[0].data, spliced["VARIANCE"].data
        names = np.char.strip(spliced["FIBRES"].data["NAME"].astype(str)).tolist()
    wavelength = header["CRVAL1"] + header["CDELT1"] * (np.arange(1, header["NAXIS1"] + 1) - header["CRPIX1"])
    offsets = []
    for row in targets:
        if row["name"] not in names or row["redshift"] < 0.01:
            continue
        spectrum, noise = data[names.index(row["name"])], variance[names.index(row["name"])]
        for rest in LINES.values():
            centre = rest * (1 + row["redshift"])
            near = np.abs(wavelength - centre) < 15
            if near.sum() < 20 or not np.isfinite(spectrum[near]).all():
                continue
            around = (np.abs(wavelength - centre) < 45) & ~near
            line = spectrum[near] - np.nanmedian(spectrum[around])
            if line.sum() < 25 * np.sqrt(noise[near].sum()):
                continue
            place = centre
            for _ in range(5):
                weight = line * np.exp(-0.5 * ((wavelength[near] - place) / 4) ** 2)
                place = float((weight * wavelength[near]).sum() / weight.sum())
            offsets.append(place - centre)
    assert len(offsets) >= 20
    assert abs(np.median(offsets)) < 0.1


def test_products_are_read_by_specutils(field):
    from specutils import SpectrumList

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spectra = SpectrumList.read(field["spliced"], format="Data Central AAOmega")
        identified = SpectrumList.read(field["spliced"])
    assert len(spectra) == len(identified) > 300
    assert spectra[0].spectral_axis[0].value == pytest.approx(3740, abs=40)


USED = {
    "make_tlm": {"bias"},
    "make_im": {"bias"},
    "make_ex": {"bias", "map"},
    "reduce_arc": {"bias", "map"},
    "reduce_fflat": {"bias", "map", "arc"},
    "reduce_sky": {"bias", "map", "arc"},
    "reduce_object": {"bias", "map", "arc", "flat"},
}


@pytest.mark.parametrize("verb", USED)
def test_calibrations_that_commands_share_are_read_and_not_written(field, kept, verb):
    names = {
        name: kind
        for arm in ARMS
        for name, kind in (
            ("BIAScombined.fits", "bias"),
            (f"{field[f'{arm}_flat'].stem}tlm.fits", "map"),
            (f"{field[f'{arm}_arc'].stem}red.fits", "arc"),
            (f"{field[f'{arm}_flat'].stem}red.fits", "flat"),
        )
    }
    assert {names[name] for name in kept.used[verb]} == USED[verb]
    assert kept.changed[verb] == set()
