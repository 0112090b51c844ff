"""Downloads in a real browser: choose, wait until they are prepared, fetch, open the files."""

from __future__ import annotations

import asyncio
import io
import tarfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdf
import pytest
from astropy.io import fits
from astropy.table import Table

from tests.browser.chromium import CHROMIUM, FLAGS, PATIENCE, needs_chromium, playwright_api
from tests.support.night_plan import NIGHT
from tests.support.night_rows import NightRows
from tests.support.people import MY_FIELD
from tests.support.postgres import DatabaseServer
from tests.web.conftest import Site, serving
from tests.web.download_site import make_shelf
from web.downloads import handlers

pytestmark = needs_chromium
expect = playwright_api.expect


@dataclass
class Desk:
    """A page in the browser, and the night behind it."""

    page: Any
    url: str
    rows: NightRows

    async def fetched(self, selector: str) -> bytes:
        """What a click downloads."""
        async with self.page.expect_download() as waiting:
            await self.page.click(selector)
        found = await waiting.value
        return await asyncio.to_thread(Path(await found.path()).read_bytes)


@pytest.fixture(scope="module")
def shelf(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_shelf(database_server, tmp_path_factory.mktemp("downloads"), "browser_downloads")


@pytest.fixture
async def desk(shelf: Site) -> AsyncIterator[Desk]:
    async with serving(shelf.settings) as (address, _app), playwright_api.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Desk(page, f"http://{address}", shelf.rows)
        await browser.close()
    assert complaints == [], "the browser complained"


async def test_choose_products_and_download_them(desk: Desk) -> None:
    page = desk.page
    await page.goto(f"{desk.url}/products?night={NIGHT}&kind=object")
    button = page.locator("#choose button[type=submit]")
    await expect(button).to_be_disabled()
    boxes = page.locator("input[name=product]")
    number = await boxes.count()
    await page.check("[data-f=all]")
    await expect(page.locator("#choose [data-f=told]")).to_contain_text(f"{number} chosen")
    await page.uncheck("[data-f=all]")
    await boxes.nth(0).focus()
    await page.keyboard.press("Space")
    await boxes.nth(1).check()
    await page.select_option("#choose [name=content]", "raw")
    await button.click()
    await expect(page.locator("h1")).to_have_text("Download")
    # It is prepared while the page is looked at, which says so by itself.
    await expect(page.locator("#progress[data-ready=true]")).to_be_visible()
    content = await desk.fetched("text=tar")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = archive.getnames()
        assert sum(name.endswith("red.fits") for name in names) == 2
        assert sum("/raw/" in name for name in names) == 2
        (first, *_rest) = (name for name in names if name.endswith(".pdf"))
        opened = archive.extractfile(first)
        assert opened is not None
        assert "D" in pypdf.PdfReader(io.BytesIO(opened.read())).pages[1].extract_text()
    with zipfile.ZipFile(io.BytesIO(await desk.fetched("text=zip"))) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(names)
    script = (await desk.fetched("text=Script for curl")).decode()
    assert script.startswith("#!/bin/sh")
    assert "SHA256SUMS" in script


async def test_download_that_is_not_ready_begins_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a link that was sent by mail, say: a page tells how far it is, then the file comes."""
    page = desk.page
    monkeypatch.setattr(handlers, "PATIENCE", 0.0)
    # A connection that is lost meanwhile ends nothing.
    await page.route("**/api/downloads?*", lambda route: route.abort(), times=1)
    async with page.expect_download() as waiting:
        answer = await page.goto(f"{desk.url}/downloads/archive.tar?night={NIGHT}&field={MY_FIELD}")
        assert (answer.status, await page.text_content("h1")) == (503, "Being prepared")
    found = await waiting.value
    await expect(page.locator("[data-f=words]")).to_have_text("Ready: the download has begun.")
    assert found.suggested_filename == f"paws-{NIGHT}-{MY_FIELD}-reduced.tar"
    with tarfile.open(await found.path()) as archive:
        assert any(name.endswith("SHA256SUMS") for name in archive.getnames())


async def test_spectrum_and_pdf_of_a_product(desk: Desk) -> None:
    page, product = desk.page, desk.rows.products["8/blue/object/1"]
    await page.goto(f"{desk.url}/products/{product}?fibre=2")
    await page.wait_for_selector('html[data-ready="2"]')
    await page.fill("#fibre", "3")
    await page.keyboard.press("Enter")
    await page.wait_for_selector('html[data-ready="3"]')
    with fits.open(io.BytesIO(await desk.fetched("#formats >> text=FITS"))) as hdus:
        assert hdus["SPECTRUM"].header["FIBRE"] == 3
        assert len(hdus["SPECTRUM"].data) == 200
    ecsv = Table.read((await desk.fetched("#formats >> text=ECSV")).decode(), format="ascii.ecsv")
    assert ecsv.meta["FIBRE"]["value"] == 3
    answer = await page.context.request.get(f"{desk.url}/products/{product}/spectra.pdf", timeout=60_000)
    assert len(pypdf.PdfReader(io.BytesIO(await answer.body())).pages) >= 3
