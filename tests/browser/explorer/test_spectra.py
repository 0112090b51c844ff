"""Spectra in a real browser: shown, compared, smoothed, marked with lines, taken along, linked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.chromium import needs_chromium
from tests.browser.explorer.stand import Stand, eventually, go, here, ready, traces
from tests.support.explorer_files import real_products
from tests.support.night_plan import HOSTILE
from web.spectra import read_spectrum

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_chromium
expect = playwright.expect


def zoom_and_back(page: Any) -> None:
    """Zoom by dragging; go back by a double click, and by the button."""
    box = page.locator("#plot").bounding_box()
    for back in (lambda: page.mouse.dblclick(box["x"] + 300, box["y"] + 150), lambda: page.click("#whole")):
        page.mouse.move(box["x"] + 200, box["y"] + 150)
        page.mouse.down()
        page.mouse.move(box["x"] + 400, box["y"] + 150, steps=4)
        page.mouse.up()
        eventually(lambda: "range=" in here(page))
        back()
        eventually(lambda: "range=" not in here(page))


@pytest.mark.usefixtures("libraries")
def test_click_on_a_fibre_shows_its_spectrum(page: Any, stand: Stand, folder: Path) -> None:
    go(page, stand)
    box = page.locator('#plate path[data-fibre="77"]').bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#hover")).to_contain_text("77")
    expect(page.locator('tr[data-fibre="77"]')).to_have_class(re.compile("aim"))
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    ready(page, 77)
    expect(page.locator('tr[data-fibre="77"]')).to_have_attribute("aria-current", "true")
    eventually(lambda: "fibre=77" in here(page))
    _, found = read_spectrum(folder / "blue/OBJ0008red.fits", 77)
    flux = next(one for one in traces(page) if one["name"].endswith("blue"))
    drawn = np.array([np.nan if value is None else value for value in flux["y"]])
    np.testing.assert_allclose(drawn, found.flux, rtol=1e-6)
    assert page.locator("#target").text_content() == found.row.name


@pytest.mark.usefixtures("libraries")
def test_other_arm_and_combined_spectrum_of_the_same_target(page: Any, stand: Stand) -> None:
    go(page, stand, fibre=5)
    name = page.locator("#target").text_content()
    page.check(f'[data-beside="{stand.product("red/OBJ")}"]')
    page.check(f'[data-beside="{stand.product("spliced/comb")}"]')
    eventually(lambda: sum(name in one["name"] for one in traces(page)) == 3)
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    ready(page, 6)
    other = page.locator("#target").text_content()
    eventually(lambda: sum(other in one["name"] for one in traces(page)) == 3)
    assert sum(name in one["name"] for one in traces(page)) == 1, "the one that was kept"
    page.select_option("#scale", "same")
    eventually(
        lambda: all(
            abs(abs(float(np.median([v for v in one["y"] if v is not None]))) - 1) < 0.1
            for one in traces(page)
            if "object" in one["name"]
        )
    )
    page.click("#pins button")
    eventually(lambda: not any(name in one["name"] for one in traces(page)))


@pytest.mark.usefixtures("libraries")
def test_layers_smoothing_and_errors(page: Any, stand: Stand, folder: Path) -> None:
    go(page, stand, fibre=9)
    _, found = read_spectrum(folder / "blue/OBJ0008red.fits", 9)
    for layer in ("sky", "raw"):
        page.check(f'[data-layer="{layer}"]')
    eventually(lambda: {"sky", "with sky", "error"} <= {one["name"] for one in traces(page)})
    by_name = {one["name"]: one for one in traces(page)}
    np.testing.assert_allclose(by_name["sky"]["y"], found.sky, rtol=1e-5)
    raw = np.array([np.nan if v is None else v for v in by_name["with sky"]["y"]])
    np.testing.assert_allclose(raw, found.raw, rtol=1e-5)
    page.uncheck('[data-layer="error"]')
    eventually(lambda: "error" not in {one["name"] for one in traces(page)})
    before = np.nanstd(np.diff(found.flux))
    page.select_option("#smooth", "15")

    def smooth() -> bool:
        flux = next(one for one in traces(page) if one["name"].endswith("blue"))["y"]
        return bool(np.nanstd(np.diff(np.array([np.nan if v is None else v for v in flux]))) < before / 4)

    eventually(smooth)


@pytest.mark.usefixtures("libraries")
def test_lines_move_with_the_redshift_in_air_and_in_vacuum(page: Any, stand: Stand) -> None:
    go(page, stand, "red/OBJ")

    def lines() -> list[float]:
        found = [one for one in traces(page) if one["name"] == "emission"]
        return found[0]["x"][::3] if found else []

    page.check('[data-lines="emission"]')
    page.fill("#z", "0.1")
    eventually(lambda: any(abs(at - 6562.80 * 1.1) < 0.2 for at in lines()))
    page.select_option("#medium", "vacuum")
    eventually(lambda: any(abs(at - 6564.61 * 1.1) < 0.01 for at in lines()))
    page.locator("#slide").fill("0.3")
    redshift = float(np.expm1(0.3))
    eventually(lambda: any(abs(at - 6564.61 * (1 + redshift)) < 0.2 for at in lines()))
    assert float(page.input_value("#z")) == pytest.approx(redshift, abs=1e-4)
    page.keyboard.press("Tab")
    page.locator("#fibres").focus()
    page.keyboard.press("]")
    eventually(lambda: abs(float(page.input_value("#z")) - redshift - 0.001) < 1e-4)


@pytest.mark.usefixtures("libraries")
def test_zoom_and_a_line_at_the_click(page: Any, stand: Stand) -> None:
    go(page, stand, fibre=3)
    zoom_and_back(page)
    page.select_option("#anchor", "4862.68")
    box = page.locator("#plot").bounding_box()
    # A click takes what the label shows, and plotly moves the label a moment after the pointer.
    page.mouse.move(box["x"] + 560, box["y"] + 200)
    label = page.locator("#plot .hoverlayer .hovertext").first
    label.wait_for()
    before = label.text_content()
    page.mouse.move(box["x"] + 620, box["y"] + 200)
    eventually(lambda: label.text_content() != before)
    page.mouse.click(box["x"] + 620, box["y"] + 200)
    eventually(lambda: "z=" in here(page))
    low, high = page.evaluate("() => document.getElementById('plot').layout.xaxis.range")
    inside = page.evaluate(
        "() => { const a = document.getElementById('plot')._fullLayout.xaxis; return [a._offset, a._length]; }"
    )
    clicked = low + (620 - inside[0]) / inside[1] * (high - low)
    assert 4861.33 * (1 + float(page.input_value("#z"))) == pytest.approx(clicked, abs=8)


@pytest.mark.usefixtures("libraries")
def test_link_shows_the_same_to_others(page: Any, stand: Stand) -> None:
    more = (
        f"&beside={stand.product('red/OBJ')}&pins={stand.product('blue/OBJ')}~20&layers=sky&lines=absorption&z=0.05"
        "&medium=vacuum&smooth=5&scale=same&range=4500.0,5500.0&colour=magnitude&types=PS&find=LRG&sort=magnitude-"
    )
    go(page, stand, more=more, fibre=3)
    eventually(lambda: "sort=magnitude-" in here(page) and "range=4500.0" in here(page))
    found = page.evaluate(
        "() => ({z: document.getElementById('z').value, smooth: document.getElementById('smooth').value,"
        " medium: document.getElementById('medium').value, scale: document.getElementById('scale').value,"
        " colour: document.getElementById('colour').value, find: document.getElementById('find').value,"
        " layers: [...document.querySelectorAll('[data-layer]:checked')].map(one => one.dataset.layer),"
        " lines: [...document.querySelectorAll('[data-lines]:checked')].map(one => one.dataset.lines),"
        " beside: document.querySelectorAll('[data-beside]:checked').length, pins: document.querySelectorAll('#pins button').length,"
        " range: document.getElementById('plot').layout.xaxis.range.map(Math.round)})"
    )
    assert found == {
        "z": "0.05", "smooth": "5", "medium": "vacuum", "scale": "same", "colour": "magnitude", "find": "LRG",
        "layers": ["sky"], "lines": ["absorption"], "beside": 1, "pins": 1, "range": [4500, 5500],
    }  # fmt: skip
    shown = page.locator("#fibres tbody tr:visible")
    kinds = set(shown.evaluate_all("rows => rows.map(row => row.dataset.type)"))
    assert kinds == {"P", "S"}
    page.reload()
    ready(page, 3)
    assert len([one for one in traces(page) if "object" in one["name"]]) == 3


@pytest.mark.usefixtures("libraries")
def test_what_is_shown_is_taken_along(page: Any, stand: Stand, folder: Path) -> None:
    go(page, stand, more="&range=4000.0,4200.0", fibre=3)
    with page.expect_download() as waiting:
        page.click("#csv")
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert waiting.value.suggested_filename.endswith(".csv")
    assert "/explorer?product=" in lines[0]
    rows = [line.rsplit(",", 2) for line in lines[3:]]
    layout, found = read_spectrum(folder / "blue/OBJ0008red.fits", 3)
    assert layout.start is not None
    assert layout.step is not None
    x = layout.start + layout.step * np.arange(found.flux.size)
    inside = (x >= 4000) & (x <= 4200)
    np.testing.assert_allclose([float(row[1]) for row in rows], x[inside], atol=1e-4)
    np.testing.assert_allclose([float(row[2]) for row in rows], found.flux[inside], rtol=1e-6)
    with page.expect_download() as waiting:
        page.click("#png")
    image = Path(waiting.value.path()).read_bytes()
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(image) > 10_000
    page.click("#link")
    expect(page.locator("#plot-note")).to_contain_text("link")


def test_without_libraries_the_plate_and_a_plain_plot_do_the_same(page: Any, bare: Stand) -> None:
    go(page, bare, more="&lines=emission&z=0.1&layers=error,sky")
    marks = page.locator("#plate path[data-fibre]")
    assert marks.count() == 400
    assert set(marks.evaluate_all("all => all.map(one => one.dataset.type)")) == set("PSFUN")
    expect(page.locator("#sky-note")).to_contain_text("paws vendor")
    page.fill("#find", "33")
    page.keyboard.press("Enter")
    ready(page, 33)
    page.fill("#find", "")
    page.locator("#plot").focus()
    page.keyboard.press("ArrowRight")
    ready(page, 34)
    inked = page.evaluate(
        "(() => { const c = document.querySelector('#plot canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
    )
    assert inked > 3000
    zoom_and_back(page)
    with page.expect_download() as waiting:
        page.click("#png")
    assert Path(waiting.value.path()).read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("libraries")
@pytest.mark.skipif(not real_products(), reason="no real products of 2dFdr (TEST_REAL_PRODUCTS)")
def test_real_products_of_2dfdr_open(page: Any, stand: Stand) -> None:
    for part in ("2dflens", "ozdes"):
        go(page, stand, part, more="&layers=error,sky&lines=emission")
        names = {one["name"] for one in traces(page)}
        assert {"sky", "emission", "error"} <= names
        assert page.locator("#plate path[data-fibre]").count() == 1
        expect(page.locator("#facts")).to_contain_text("pivot")
        assert page.locator(".xp-note").count() == 0


@pytest.mark.usefixtures("libraries")
def test_hostile_names_are_text_and_what_is_missing_is_told(page: Any, stand: Stand) -> None:
    go(page, stand, "hostile/OBJ", more="&layers=error,sky,raw", fibre=4)
    assert page.locator("#target").text_content().startswith(HOSTILE[:60])
    expect(page.locator(".xp-note").first).to_contain_text("no extension SKY")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    ready(page, 5)
    assert page.evaluate("document.querySelectorAll('#plot script, #pins script, #plot img').length") == 0
