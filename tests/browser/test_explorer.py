"""The explorer in a real browser: choose, click, walk by keys, compare, mark lines, take along, link."""

from __future__ import annotations

import re
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from astropy.io import fits

from paws.settings import load_settings
from schemas.vocabulary import Arm
from tests.browser.test_pages import CHROMIUM, pytestmark  # noqa: F401 - the mark applies here
from tests.support.explorer_files import real_products, write_field
from tests.support.night_plan import HOSTILE
from web.explorer.app import create_explorer, loopback
from web.explorer.files import FileShelf, gather
from web.server import bind
from web.spectra import read_spectrum
from web.vendor import VendorAwayError, from_npm, install, read_manifest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
expect.set_options(timeout=60_000)
_FLAGS = [
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # WebGL without a graphics card, for Aladin Lite.
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
VENDOR = Path(sys.prefix) / "share" / "paws-live" / "vendor"
HIPS = "https://hips.invalid/DSS"


@dataclass
class Stand:
    """A server in a thread, in front of files."""

    url: str
    shelf: FileShelf

    def product(self, part: str) -> str:
        return next(one.product_id for one in self.shelf.products if part in one.path)


@contextmanager
def standing(folder: Path, **settings: Any) -> Iterator[Stand]:
    found = loopback(load_settings(data_dir=folder / "none", sky_images=HIPS, **settings), 0)
    shelf = FileShelf(gather([folder, *real_products()])[0])
    listener = bind(found)
    server = uvicorn.Server(uvicorn.Config(create_explorer(found, shelf), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    try:
        yield Stand(f"http://127.0.0.1:{listener.getsockname()[1]}", shelf)
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("field")
    write_field(path / "blue")
    write_field(path / "red", arm=Arm.RED)
    # A combined product has an order of its own.
    turned = write_field(path / "spliced", "combined.fits", None)
    with fits.open(turned, mode="update") as hdus:
        for name in (0, "VARIANCE"):
            hdus[name].data = hdus[name].data[::-1].copy()
        hdus["FIBRES"].data = hdus["FIBRES"].data[::-1].copy()
    hostile = write_field(path / "hostile", fibres=30, samples=90, names=HOSTILE + "{}")
    with fits.open(hostile, mode="update") as hdus:
        hdus["FIBRES"].header["LABEL"] = HOSTILE[:60]
        del hdus["SKY"]
    return path


@pytest.fixture(scope="module")
def libraries() -> None:
    """Plotly and Aladin Lite, through npm."""
    try:
        install(VENDOR, read_manifest(), from_npm)
    except VendorAwayError as error:
        pytest.skip(f"plotly and Aladin Lite are not there and cannot be fetched: {error.message}")


@pytest.fixture(scope="module")
def stand(folder: Path) -> Iterator[Stand]:
    with standing(folder, vendor_dir=VENDOR) as found:
        yield found


@pytest.fixture(scope="module")
def bare(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Without any library."""
    with standing(folder, vendor_dir=tmp_path_factory.mktemp("nothing")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions([])
    found = context.new_page()
    found.set_default_timeout(60_000)
    complaints: list[str] = []

    def note(message: Any) -> None:
        # That images of the sky cannot be had is told on the page; the browser says so here too.
        if message.type == "error" and "hips.invalid" not in (message.location or {}).get("url", ""):
            complaints.append(message.text)

    found.on("console", note)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    yield found
    context.close()
    assert complaints == [], "the browser complained"


def go(page: Any, stand: Stand, part: str = "blue/OBJ", more: str = "", fibre: int = 1) -> None:
    page.goto(f"{stand.url}/explorer?product={stand.product(part)}&fibre={fibre}&view=plate{more}")
    ready(page, fibre)
    page.wait_for_selector("html[data-measured]")


def ready(page: Any, fibre: int) -> None:
    page.wait_for_selector(f'html[data-ready="{fibre}"]')


def here(page: Any) -> str:
    """Address of the page, as it is now."""
    return str(page.evaluate("location.href"))


def traces(page: Any) -> list[dict[str, Any]]:
    """What plotly draws, arrays in full."""
    return page.evaluate(  # type: ignore[no-any-return] - playwright answers Any
        "() => document.getElementById('plot').data.map(one => ({name: one.name, yaxis: one.yaxis ?? 'y',"
        " x: Array.from(one.x), y: Array.from(one.y, v => Number.isFinite(v) ? v : null)}))"
    )


def eventually(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
def test_product_is_chosen_by_typing_and_by_walking(page: Any, stand: Stand) -> None:
    page.goto(f"{stand.url}/explorer")
    page.keyboard.press("/")
    page.keyboard.type("red/OBJ")
    expect(page.locator("a[data-product]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("ArrowLeft")
    expect(page.locator("a[data-product]")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    for _ in range(20):
        if page.evaluate("document.activeElement.dataset.product") is not None:
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("h1")).to_contain_text("red")
    page.keyboard.press("o")
    page.keyboard.type("blue/obj")
    expect(page.locator("#chooser a[data-product]")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**product={stand.product('blue/OBJ')}**")


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
def test_arrow_keys_walk_in_the_order_of_the_table(page: Any, stand: Stand) -> None:
    go(page, stand)
    page.click('[data-sort="snr"]')
    page.click('[data-sort="snr"]')
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("S/N")
    order = page.locator("#fibres tbody tr").evaluate_all(
        "rows => rows.map(row => Number(row.dataset.fibre))"
    )
    values = page.locator('#fibres td[data-f="snr"]').evaluate_all(
        "cells => cells.map(one => one.textContent)"
    )
    numbers = [float(one) for one in values if one]
    assert numbers == sorted(numbers, reverse=True)
    assert values[-1] == "", "what has none stands last"
    page.click(f'tr[data-fibre="{order[0]}"]')
    ready(page, order[0])
    for fibre in order[1:3]:
        page.keyboard.press("ArrowRight")
        ready(page, fibre)
    page.keyboard.press("ArrowLeft")
    ready(page, order[1])
    page.click('button[data-type="P"]')
    expect(page.locator("#shown")).to_contain_text("of 400")
    assert page.locator("#plate .away").count() == page.locator('tr[data-type="P"]').count()


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
    page.mouse.move(box["x"] + 618, box["y"] + 200)
    page.mouse.move(box["x"] + 620, box["y"] + 200)
    page.wait_for_selector("#plot .hoverlayer .hovertext")
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


@pytest.mark.parametrize("colour", ["snr", "throughput", "magnitude", "residual"])
@pytest.mark.usefixtures("libraries")
def test_plate_is_coloured_by_figures(page: Any, stand: Stand, colour: str) -> None:
    go(page, stand, more=f"&colour={colour}")
    fills = page.locator("#plate path[fill]").evaluate_all(
        "marks => marks.map(one => one.getAttribute('fill'))"
    )
    assert len(fills) > 300
    assert len(set(fills)) > 50
    expect(page.locator(".xp-scale")).to_be_visible()


@pytest.mark.usefixtures("libraries")
def test_figures_a_product_lacks_cannot_be_chosen(page: Any, stand: Stand) -> None:
    go(page, stand, "spliced/comb")
    assert page.locator('#colour option[value="throughput"]').is_disabled()
    expect(page.locator('#colour option[value="throughput"]')).to_contain_text("not in this product")


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
def test_plate_takes_the_place_of_a_sky_that_cannot_be_had(page: Any, stand: Stand) -> None:
    page.route(re.compile("^https://hips"), lambda route: route.abort())
    page.goto(f"{stand.url}/explorer?product={stand.product('blue/OBJ')}")
    expect(page.locator("#sky-note")).to_contain_text("cannot be reached")
    expect(page.locator("#stage")).to_have_attribute("data-behind", "plate")
    expect(page.locator('[data-view="sky"]')).to_be_disabled()
    expect(page.locator("#plate")).to_be_visible()


def _tile(size: int = 512) -> bytes:
    """A dark tile, as PNG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes((20, 24, 40)) * size) * size)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


_SURVEY = """creator_did = ivo://TEST/P/DSS
obs_title = DSS
hips_version = 1.4
hips_frame = equatorial
hips_order = 9
hips_order_min = 0
hips_tile_width = 512
hips_tile_format = png
dataproduct_type = image
dataproduct_subtype = color
"""


@pytest.mark.usefixtures("libraries")
def test_fibres_on_the_sky_are_hovered_and_clicked_like_those_on_the_plate(page: Any, stand: Stand) -> None:
    tile = _tile()
    headers = {"Access-Control-Allow-Origin": "*"}

    def survey(route: Any) -> None:
        if route.request.url.endswith("properties"):
            route.fulfill(body=_SURVEY, headers=headers, content_type="text/plain")
        elif "Npix" in route.request.url:
            route.fulfill(body=tile, headers=headers, content_type="image/png")
        else:
            route.fulfill(status=404, headers=headers)

    page.route(re.compile("^https://"), survey)
    page.goto(f"{stand.url}/explorer?product={stand.product('blue/OBJ')}&fibre=2")
    page.wait_for_selector('#stage[data-behind="sky"]')
    # A target with nothing near it, as it lies on the drawing, in the frame's scale.
    spot = page.evaluate(
        "() => { const all = JSON.parse(document.getElementById('view').textContent).fibres;"
        " const far = (a) => Math.min(...all.filter(b => b !== a).map(b => Math.hypot(a.xi - b.xi, a.eta - b.eta)));"
        " return all.filter(one => one.type === 'P').sort((a, b) => far(b) - far(a))[0]; }"
    )
    box = page.locator("#sky").bounding_box()
    x = box["x"] + box["width"] / 2 - spot["xi"] * box["width"] / 2.45
    y = box["y"] + box["height"] / 2 - spot["eta"] * box["width"] / 2.45

    def hovered() -> bool:
        page.mouse.move(x - 3, y - 3)
        page.mouse.move(x, y)
        return (page.locator("#hover").text_content() or "").startswith(f"{spot['fibre']}  ")

    eventually(hovered)
    page.mouse.click(x, y)
    ready(page, spot["fibre"])
    page.click('[data-view="plate"]')
    expect(page.locator("#stage")).to_have_attribute("data-behind", "plate")
    eventually(lambda: "view=plate" in here(page))


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


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("width", [360, 3840])
def test_explorer_fits_the_screen(page: Any, stand: Stand, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    go(page, stand, more=f"&beside={stand.product('red/OBJ')}")
    excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert excess <= 0
