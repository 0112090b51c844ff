"""The field in a real browser: chosen, walked by keys, on its plate and on the sky."""

from __future__ import annotations

import re
import struct
import zlib
from typing import Any

import pytest

from tests.browser.chromium import needs_chromium
from tests.browser.explorer.stand import Stand, eventually, go, here, ready

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_chromium
expect = playwright.expect


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
@pytest.mark.parametrize("width", [360, 3840])
def test_explorer_fits_the_screen(page: Any, stand: Stand, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    go(page, stand, more=f"&beside={stand.product('red/OBJ')}")
    excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert excess <= 0
