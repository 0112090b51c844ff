"""The explorer's pure JavaScript, run by Node.js and compared with libraries of others."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from specutils.utils.wcs_utils import air_to_vac, vac_to_air

from web.pages.render import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")


def run(names: str, module: str, body: str, given: Any = None) -> Any:
    """What a piece of JavaScript returns that uses a module of the explorer."""
    address = (STATIC / "explorer" / f"{module}.js").as_uri()
    code = (
        f"import {{ {names} }} from {json.dumps(address)};\n"
        f"const given = {json.dumps(given)};\n"
        f"const plain = (_, value) => (ArrayBuffer.isView(value) ? [...value] : Number.isNaN(value) ? null : value);\n"
        f"const work = () => {{ {body} }};\nconsole.log(JSON.stringify(work(), plain));"
    )
    done = subprocess.run(
        [NODE or "node", "--input-type=module", "-"], input=code, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_air_and_vacuum_are_ciddors() -> None:
    vacuum = np.linspace(2300, 17000, 300)
    air = run("toAir", "wavelengths", "return given.map(toAir);", vacuum.tolist())
    expected = vac_to_air(vacuum * units.AA, method="Ciddor1996").to_value("AA")
    np.testing.assert_allclose(air, expected, atol=1e-6)
    back = run("toVacuum", "wavelengths", "return given.map(toVacuum);", air)
    np.testing.assert_allclose(back, vacuum, atol=1e-6)
    # Another author's measurements, by another method: Morton 2000.
    other = air_to_vac(np.array(air) * units.AA, method="Morton2000", scheme="iteration").to_value("AA")
    np.testing.assert_allclose(back, other, atol=2e-3)


def test_there_is_no_air_to_look_through_in_the_far_ultraviolet() -> None:
    assert (
        run("toAir, toVacuum", "wavelengths", "return [toAir(1215.67), toVacuum(1215.67)];") == [1215.67] * 2
    )


@pytest.fixture(scope="module")
def lines() -> Any:
    """Lines at rest, in air."""
    return run(
        "observed",
        "lines",
        "return Object.fromEntries(given.map((set) => [set, observed(set, 0, 'air')]));",
        ["emission", "absorption"],
    )


@pytest.mark.parametrize(
    ("set_name", "name", "air"),
    [
        ("emission", "Hα", 6562.80), ("emission", "Hβ", 4861.33), ("emission", "[O III]", 5006.84),
        ("emission", "[O II]", 3726.03), ("emission", "[N II]", 6583.46), ("emission", "[S II]", 6716.44),
        ("emission", "He I", 5875.62), ("emission", "[Ne III]", 3868.76), ("emission", "Mg II", 2798.29),
        ("absorption", "Ca K", 3933.66), ("absorption", "Ca H", 3968.47), ("absorption", "Na D", 5889.95),
        ("absorption", "Mg b", 5183.60), ("absorption", "Ca II", 8542.09), ("absorption", "Fe II", 2599.40),
    ],
)  # fmt: skip
def test_lines_fall_where_laboratories_found_them(lines: Any, set_name: str, name: str, air: float) -> None:
    """Against wavelengths in air of the NIST Atomic Spectra Database, within a twentieth of AAOmega's pixel."""
    assert min(abs(line["at"] - air) for line in lines[set_name] if line["name"] == name) < 0.05


def test_redshift_moves_lines_in_vacuum_and_a_click_finds_it_again() -> None:
    code = (
        "const at = (medium) => observed('emission', 0.35, medium).find((one) => one.name === 'Hα').at;"
        "return [at('vacuum'), at('air'), redshiftOf(6564.61, at('air'), 'air'), redshiftOf(6564.61, at('vacuum'), 'vacuum')];"
    )
    vacuum, air, from_air, from_vacuum = run("observed, redshiftOf", "lines", code)
    assert vacuum == pytest.approx(6564.61 * 1.35)
    assert air == pytest.approx(vac_to_air(vacuum * units.AA, method="Ciddor1996").to_value("AA"), abs=1e-5)
    assert from_air == pytest.approx(0.35, abs=1e-9)
    assert from_vacuum == pytest.approx(0.35, abs=1e-12)


def test_names_of_lines_that_would_lie_on_each_other_are_left_out() -> None:
    code = "return labelled([{ set: 'emission', lines: observed('emission', 0, 'air') }], [6500, 6800]).map((one) => one.name);"
    assert run("labelled, observed", "lines", code) == ["[N II]", "Hα", "[N II]", "[S II]", "[S II]"]
    wide = run("labelled, observed", "lines", code.replace("[6500, 6800]", "[3700, 9000]"))
    assert wide.count("[N II]") + wide.count("Hα") == 1


def test_smoothing_is_a_mean_of_what_is_there() -> None:
    values: list[float | None] = np.random.default_rng(1).normal(10, 3, 60).tolist()
    values[20:23] = [None] * 3
    code = (
        "const y = Float32Array.from(given, (one) => one ?? NaN); const s = y.map(() => 2);"
        "const found = smoothed(y, s, 5); return [found.values, found.sigma];"
    )
    mean, sigma = run("smoothed", "traces", code, values)
    known = np.array([np.nan if one is None else one for one in values])
    for index in range(60):
        window = known[max(0, index - 2) : index + 3]
        count = np.isfinite(window).sum()
        assert mean[index] == pytest.approx(np.nanmean(window), rel=1e-5)
        assert sigma[index] == pytest.approx(2 / np.sqrt(count), rel=1e-5)


def test_thinning_keeps_extremes_and_gaps() -> None:
    code = (
        "const n = 9000; const x = Float64Array.from({ length: n }, (_, i) => 3700 + i);"
        "const y = Float32Array.from({ length: n }, (_, i) => Math.sin(i / 50)); y[4321] = 55; y[777] = -44; y[5000] = NaN;"
        "const t = thinned({ x, y }, null, 500); const part = thinned({ x, y }, [4000, 4100], 500);"
        "return { many: t.y.length, high: Math.max(...t.y.filter(Number.isFinite)), low: Math.min(...t.y.filter(Number.isFinite)),"
        " rising: t.x.every((one, i) => i === 0 || one >= t.x[i - 1] - 18), gap: t.y.some(Number.isNaN),"
        " part: [part.x[0], part.x[part.x.length - 1], part.y.length] };"
    )
    found = run("thinned", "traces", code)
    assert found["many"] < 1600
    assert (found["high"], found["low"]) == (55, -44)
    assert found["rising"]
    assert found["gap"]
    assert found["part"] == [3999, 4101, 103]


def test_band_encloses_all_errors_and_breaks_at_gaps() -> None:
    code = (
        "const n = 400; const x = Float64Array.from({ length: n }, (_, i) => i); const y = new Float32Array(n).fill(5);"
        "const sigma = new Float32Array(n).fill(1); sigma[100] = 3; y[200] = NaN;"
        "const one = band({ x, y, sigma }, null, 10000); const few = band({ x, y, sigma }, null, 100);"
        "const outer = (found) => [Math.max(...found.y.filter(Number.isFinite)), Math.min(...found.y.filter(Number.isFinite))];"
        "return [outer(one), outer(few), one.y.filter(Number.isNaN).length, few.y.length];"
    )
    whole, few, pieces, points = run("band", "traces", code)
    assert whole == few == [8, 2]
    assert pieces == 2
    assert points < 220


def test_range_shows_lines_and_not_bad_pixels() -> None:
    code = (
        "const x = Float64Array.from({ length: 2000 }, (_, i) => i);"
        "const y = Float32Array.from(x, (i) => 100 + (i % 7) + (Math.abs(i - 900) < 5 ? 15 : 0)); y[50] = 1e6; y[60] = -1e6;"
        "return extent([{ x, y }], null);"
    )
    low, high = run("extent", "traces", code)
    assert 95 < low < 101
    assert 118 < high < 130


def test_address_says_everything_and_gives_it_back() -> None:
    state = {
        "product": "abc-object", "fibre": 7, "beside": ["x", "y"], "pins": [{"product": "z", "fibre": 3}],
        "layers": [], "lines": ["emission", "night"], "z": 0.1234, "medium": "vacuum", "smooth": 5, "scale": "same",
        "range": [4000.5, 5000.0], "colour": "snr", "view": "plate", "types": "PS", "find": "lrg & co", "sort": "snr-",
    }  # fmt: skip
    search = run("write", "state", "return write(given);", state)
    assert run("read", "state", "return read(given, 1);", search) == state
    usual = run("read, write", "state", "return write(read('?product=a', 9));")
    assert usual == "?product=a&fibre=9"


def test_address_of_nonsense_shows_the_usual() -> None:
    search = "?product=a&fibre=x&range=9,1&z=abc&smooth=-4&pins=a~b,~,c~0&medium=water&view=none&scale=log"
    found = run("read", "state", "return read(given, 4);", search)
    assert (found["fibre"], found["range"], found["z"], found["smooth"]) == (4, None, 0, 1)
    assert (found["pins"], found["medium"], found["view"], found["scale"]) == ([], "air", "sky", "own")


def test_cells_are_no_formulae() -> None:
    texts = ["=1+1", "+x", "-2", "@sum", "\tx", "plain", 'a"b', "a,b", "a\nb"]
    found = run("cell", "export", "return given.map(cell);", texts)
    assert found == ["'=1+1", "'+x", "'-2", "'@sum", "'\tx", "plain", '"a""b"', '"a,b"', '"a\nb"']


def test_place_on_the_sky_is_the_projection_turned_round() -> None:
    header = WCS(naxis=2)
    header.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    header.wcs.crval, header.wcs.cdelt, header.wcs.crpix = [359.8, -61.0], [1.0, 1.0], [1.0, 1.0]
    places = [(0.0, 0.0), (1.1, 0.2), (-0.9, 0.9), (0.0, -1.12)]
    found = run("skyOf", "sky", "return given.map(([xi, eta]) => skyOf({ xi, eta }, [359.8, -61]));", places)
    expected = header.all_pix2world(np.array(places), 0)
    apart = SkyCoord(found, unit="deg").separation(SkyCoord(expected, unit="deg"))
    assert apart.arcsec.max() < 1e-6


def test_colours_of_figures_run_from_end_to_end() -> None:
    code = (
        "const fibres = given.map((snr, i) => ({ fibre: i + 1, type: i === 4 ? 'N' : 'P', snr }));"
        "const { range, fills } = coloursBy(fibres, 'snr', 'dark'); return [range, [...fills]];"
    )
    range_, fills = run("coloursBy", "plate", code, [1, 2, 3, 9, 500, None])
    assert range_ == [1, 9], "a broken fibre does not stretch the scale"
    colours = dict(fills)
    assert colours[1] == "rgb(68 1 84)"
    assert colours[4] == "rgb(253 231 37)"
    assert 6 not in colours
