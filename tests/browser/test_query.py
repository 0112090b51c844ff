"""The query page in a real browser: writing, running, choosing, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.chromium import LOOKS, SERIOUS, needs_chromium, playwright_api
from tests.browser.test_look import Desk, desk  # noqa: F401 - desk is a fixture

pytestmark = needs_chromium
SPECTRA = "SELECT target_name, s_ra, s_dec, signal_to_noise, t_min, access_url FROM ivoa.obscore"
expect = playwright_api.expect


async def write(page: Any, query: str) -> None:
    await page.fill("#query", "")
    await page.locator("#query").press_sequentially(query)


async def test_a_query_is_written_mended_run_and_kept(desk: Desk) -> None:  # noqa: F811 - the fixture
    page = desk.page
    await desk.sign_in("root")
    await desk.go("/query")
    await page.wait_for_selector("html[data-ready]")

    # Completion: words, tables after FROM, columns of the tables that are named.
    await write(page, "SELECT TOP 5 target_nme FROM ivoa.obs")
    await expect(page.locator("#offers [aria-selected=true] b")).to_have_text("obscore")
    await page.keyboard.press("Escape")
    await expect(page.locator("#offers")).to_be_hidden()
    assert await page.evaluate("document.activeElement.id") == "query", "the caret stays"
    await page.locator("#query").press_sequentially("c")
    await page.keyboard.press("Enter")
    assert await page.input_value("#query") == "SELECT TOP 5 target_nme FROM ivoa.obscore"

    # What is wrong is marked while it is written, and mended by a button.
    await expect(page.locator("#editor mark")).to_have_text("target_nme")
    await page.click("#verdict button:first-of-type")
    await expect(page.locator("#verdict")).to_be_empty()
    assert await page.input_value("#query") == "SELECT TOP 5 target_name FROM ivoa.obscore"

    # Running, by keys.
    await page.fill("#query", SPECTRA)
    await page.focus("#query")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#result-heading")).to_contain_text("rows in")
    rows = page.locator(".grid tr.one")
    await expect(rows.first).to_be_visible()
    assert "query=SELECT" in page.url
    await expect(page.locator(".grid .local").first).to_contain_text("UT")
    await page.click(".grid th:nth-child(4) button")
    await expect(page.locator(".grid th:nth-child(4)")).to_have_attribute("aria-sort", "ascending")
    signals = [
        float(text) for text in await page.locator(".grid tr.one td:nth-child(4)").all_text_contents() if text
    ]
    assert len(signals) > 2
    assert signals == sorted(signals)

    # Rows and points are the same things.
    await page.focus(".grid")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    chosen = await page.locator(".grid [aria-selected=true]").get_attribute("id")
    row = int(str(chosen).removeprefix("row-")) + 1
    for number in (0, 1):
        await expect(page.locator(".picture .readout").nth(number)).to_contain_text(f"row {row}")
    size = await page.locator(".picture canvas").first.bounding_box()
    await page.locator(".picture canvas").first.click(
        position={"x": size["width"] / 2, "y": size["height"] / 2}
    )

    # It is remembered, and comes back.
    await page.reload()
    await page.wait_for_selector("html[data-ready]")
    await page.click("#history summary")
    await expect(page.locator("#history li")).to_have_count(1)
    await page.click("#history [aria-pressed]")
    await expect(page.locator("#history [aria-pressed]")).to_have_text("★")
    await page.fill("#query", "")
    await page.click("#history .as-link")
    assert await page.input_value("#query") == SPECTRA


async def test_jobs_uploads_and_errors(desk: Desk) -> None:  # noqa: F811 - the fixture
    page = desk.page
    # Jobs are begun under the address that people use.
    await desk.sign_in("root")
    await desk.go("/query")
    await page.wait_for_selector("html[data-ready]")
    await page.click(".bring summary")
    await page.set_input_files(
        "#upload-file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"name,x\n<b>one</b>,1\ntwo,2\n"}
    )
    await page.fill("#query", "SELECT name, x * 2 AS twice FROM TAP_UPLOAD.mine ORDER BY x")
    await page.click("#run")
    await expect(page.locator(".grid tr.one td").first).to_have_text("<b>one</b>")
    await expect(page.locator("#result-heading")).to_contain_text("2 rows")

    await page.fill("#query", "SELECT nothing FROM TAP_UPLOAD.mine")
    await page.click("#run")
    await expect(page.locator("#verdict .problem")).to_contain_text("nothing")

    await page.click("#upload-clear")
    await page.fill("#query", "SELECT COUNT(*) AS n FROM ivoa.obscore")
    await page.click("#job")
    job = page.locator("#jobs li")
    await expect(job.locator(".badge")).to_have_text("completed")
    await expect(job).to_contain_text("1 row ")
    await job.get_by_text("Show").click()
    await expect(page.locator("#result-heading")).to_have_text("1 row")
    await page.reload()
    await page.wait_for_selector("html[data-ready]")
    await page.click("#jobs summary")
    await expect(job).to_have_count(1)
    await job.get_by_text("Delete").click()
    await expect(job).to_have_count(0)


async def many_rows_scroll_and_few_are_in_the_page(page: Any) -> None:
    # Rows of a service that has as many as that.
    data = ",".join(f'[{i},{(i * 7919) % 100_003},"n{i}"]' for i in range(100_000))
    columns = '{"name":"i","datatype":"long"},{"name":"k","datatype":"double"},{"name":"t","datatype":"char","arraysize":"*"}'
    body = f'{{"info":{{}},"metadata":[{columns}],"data":[{data}],"status":"OVERFLOW"}}'
    await page.route("**/tap/sync", lambda route: route.fulfill(content_type="application/json", body=body))
    await page.fill("#query", "SELECT i, k, t FROM much")
    await page.click("#run")
    await expect(page.locator("#result-heading")).to_contain_text(
        "100,000 rows: there are more than the 10,000"
    )
    assert await page.locator(".grid tr.one").count() < 120
    await page.focus(".grid")
    await page.keyboard.press("End")
    await expect(page.locator("#row-99999")).to_be_in_viewport()
    await page.click(".grid th:nth-child(2) button")
    await page.focus(".grid")
    await page.keyboard.press("Home")
    await expect(page.locator(".grid tr.one td").nth(1)).to_have_text("0")
    assert await page.locator(".grid tr.one").count() < 120
    await page.unroute("**/tap/sync")


async def everybody_can_use_it(page: Any, axe: str) -> None:
    await page.fill("#query", SPECTRA)
    await page.click("#run")
    await page.click(".picture canvas")
    await page.click(".grid tr.one")
    await page.click("#history summary")
    await page.fill("#query", "")
    await page.locator("#query").press_sequentially("SELECT s_ FROM ivoa.obscore WHERE s_")
    await expect(page.locator("#offers")).to_be_visible()
    await page.evaluate(axe)
    for look in LOOKS:
        await page.evaluate(f"import('/static/shell.js').then(shell => shell.setLook('{look}'))")
        assert await page.evaluate(SERIOUS) == [], look
    for width in (360, 1280, 3840):
        await page.set_viewport_size({"width": width, "height": 900})
        await expect(page.locator("#offers")).to_be_hidden()  # it stood where the caret was
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


@pytest.mark.timeout(180)
async def test_results_are_for_everybody_and_of_any_length(desk: Desk, axe: str) -> None:  # noqa: F811 - the fixture
    await desk.sign_in("root")
    await desk.go("/query")
    await desk.page.wait_for_selector("html[data-ready]")
    await many_rows_scroll_and_few_are_in_the_page(desk.page)
    await everybody_can_use_it(desk.page, axe)
