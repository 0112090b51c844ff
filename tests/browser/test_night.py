"""The live night in a browser: junk from the page, reduce again, watch it; and how it looks on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from paws.accounts import passwords
from paws.database import prepare_connection
from paws.settings import Settings
from tests.browser.chromium import CHROMIUM, FLAGS, PATIENCE, needs_chromium, playwright_api
from tests.support.night_plan import NIGHT
from tests.support.night_rows import NightRows, change_frame, number_events, write_night
from tests.support.night_signal import write_signal
from tests.support.people import CHEAP, PASSWORD, populate
from tests.web.conftest import serving

pytestmark = needs_chromium
TONIGHT = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)


@dataclass
class Desk:
    """A browser, the pages behind accounts, the night, and a way to change it."""

    context: Any
    page: Any
    url: str
    rows: NightRows
    connection: Any

    async def ready(self, path: str, page: Any = None) -> None:
        page = page or self.page
        await page.goto(f"{self.url}{path}")
        await page.wait_for_selector("html[data-ready]")

    async def sign_in(self, name: str) -> None:
        await self.page.goto(f"{self.url}/sign-in")
        await self.page.fill("[name=name]", name)
        await self.page.fill("[name=password]", PASSWORD)
        await self.page.click("main button[type=submit]")
        await self.page.wait_for_selector(".who")

    def frame(self, run: int, arm: str) -> str:
        return self.rows.frames[run, arm].frame_id


def is_complaint(said: Any) -> bool:
    # Products of this night have no files, so their small pictures are not there.
    return said.type == "error" and "404" not in said.text


@pytest.fixture
async def desk(database: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords._hash_of_nothing.cache_clear()
    rows = await write_night(database, with_files=False)
    await populate(database)
    connection = await asyncpg.connect(database.require_database())
    await prepare_connection(connection)
    await write_signal(connection, rows)
    settings = database.model_copy(update={"access": "accounts"})
    async with serving(settings) as (address, app), playwright_api.async_playwright() as driver:
        began = datetime.now(UTC)
        app.state.web.clock = lambda: TONIGHT + (datetime.now(UTC) - began)
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        yield Desk(context, page, f"http://{address}", rows, connection)
        await browser.close()
    await connection.close()
    passwords._hash_of_nothing.cache_clear()
    assert complaints == [], "the browser complained"


async def test_junk_from_the_page_reduce_again_and_watch_it(desk: Desk) -> None:
    expect = playwright_api.expect
    await desk.sign_in("theo")
    watching = await desk.context.new_page()
    await desk.ready(f"/nights/{NIGHT}", watching)
    await watching.evaluate("window.stayed = true")

    # From the table, by keys.
    await desk.ready(f"/nights/{NIGHT}")
    cell = desk.page.locator(f'td.arm[data-frame="{desk.frame(12, "red")}"]')
    await cell.locator(".open").focus()
    await desk.page.keyboard.press("x")
    await desk.page.wait_for_url("**/orders?frame=*")
    await desk.page.fill("[name=reason]", 'guiding lost <script>alert("x")</script>')
    await desk.page.click("text=Give the order")
    await desk.page.wait_for_url("**/orders#order-*")
    await number_events(desk.connection)  # the relay's part
    book = desk.page.locator(".book > li").first
    await expect(book).to_contain_text('guiding lost <script>alert("x")</script>')
    await expect(book).to_contain_text("by theo")
    await expect(book.locator(".badge")).to_have_text("junked")
    other = watching.locator(f'td.arm[data-frame="{desk.frame(12, "red")}"]')
    await expect(other.locator(".badge")).to_have_text("junked")
    await expect(watching.locator(".shot[data-state=junked]")).to_have_count(2)
    assert await watching.evaluate("window.stayed") is True

    # From the matrix, several at once, with parameters.
    await desk.ready(f"/nights/{NIGHT}/matrix")
    for arm in ("blue", "red"):
        await desk.page.check(f'input[value="{desk.frame(14, arm)}"]')
    await desk.page.click("text=Junk or reduce again what is chosen")
    await desk.page.check("[name=kind][value=reduce]")
    await desk.page.fill("[name=reason]", "a galaxy in the sky fibres")
    await desk.page.click("summary")
    await desk.page.select_option("[name=p-SKYSUB]", "no")
    await desk.page.click("text=Give the order")
    await desk.page.wait_for_url("**/orders#order-*")
    await desk.page.wait_for_selector("html[data-ready]")
    book = desk.page.locator(".book > li").first
    await expect(book).to_contain_text("SKYSUB no")
    assert await desk.connection.fetchval("SELECT count(*) FROM frame_parameters") == 2
    # The matcher's part; the page shows it by itself.
    await change_frame(desk.connection, desk.frame(14, "red"), "waiting", "waits for its turn")
    await expect(book).to_contain_text("waits for its turn")

    # What is chosen stays chosen while the page goes on.
    await desk.ready(f"/nights/{NIGHT}/matrix")
    box = desk.page.locator(f'input[value="{desk.frame(9, "blue")}"]')
    assert await box.count() == 0, "another proposal's"
    box = desk.page.locator(f'input[value="{desk.frame(13, "red")}"]')
    await box.check()
    await change_frame(desk.connection, desk.frame(14, "blue"), "waiting", "another reason of the matcher")
    await expect(
        desk.page.locator("tr", has=desk.page.locator(f'input[value="{desk.frame(14, "blue")}"]')).locator(
            "[title*='another reason']"
        )
    ).to_have_count(1)
    assert await box.is_checked()


@pytest.mark.parametrize("width", [360, 3840])
async def test_the_night_fits_every_screen(desk: Desk, width: int) -> None:
    await desk.sign_in("root")
    await desk.page.set_viewport_size({"width": width, "height": 800})
    for path in ("", "/fields", "/matrix", f"/orders?frame={desk.frame(12, 'red')}"):
        await desk.page.goto(f"{desk.url}/nights/{NIGHT}{path}")
        excess = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert excess <= 0, path
    await desk.page.goto(f"{desk.url}/nights/{NIGHT}")
    await playwright_api.expect(desk.page.locator(".timeline-svg")).to_be_visible()
    assert await desk.page.locator(".shot").count() == len(desk.rows.frames)
    await desk.page.goto(f"{desk.url}/nights/{NIGHT}/fields")
    await playwright_api.expect(desk.page.locator(".plot-svg").first).to_be_visible()
    box = await desk.page.locator(".plot-svg").first.bounding_box()
    assert 200 < box["width"] <= width
