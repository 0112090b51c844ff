"""The pages in a real browser: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from paws.database import prepare_connection
from paws.settings import Settings
from tests.browser.chromium import CHROMIUM, FLAGS, PATIENCE, needs_chromium, playwright_api
from tests.support.night_plan import HOSTILE
from tests.support.night_rows import NightRows, change_frame, write_night
from tests.web.conftest import serving

pytestmark = needs_chromium


@dataclass
class Desk:
    """A page in the browser, the night behind it, and a way to change the night."""

    page: Any
    url: str
    rows: NightRows
    connection: Any
    complaints: list[str]

    def frame(self, run: int, arm: str) -> str:
        return self.rows.frames[run, arm].frame_id

    def cell(self, run: int, arm: str) -> Any:
        return self.page.locator(f'td.arm[data-frame="{self.frame(run, arm)}"]')

    async def ready(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")
        await self.page.wait_for_selector("html[data-ready]")


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    rows = await write_night(database, hostile=True)
    connection = await asyncpg.connect(database.require_database())
    await prepare_connection(connection)
    async with serving(database) as (address, _app), playwright_api.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        yield Desk(page, f"http://{address}", rows, connection, complaints)
        await browser.close()
    await connection.close()
    assert complaints == [], "the browser complained"


# What a reader may get to see, tooltips included.
_TEXT = """table => {
  const copy = table.cloneNode(true);
  copy.querySelectorAll('[hidden]').forEach(node => node.remove());
  return copy.textContent.replace(/\\s+/g, ' ');
}"""


async def test_script_says_what_the_server_said(desk: Desk) -> None:
    await desk.page.route("**/live.js*", lambda route: route.abort())
    await desk.page.goto(desk.url)
    plain = await desk.page.locator("#frames").evaluate(_TEXT)
    await desk.page.unroute("**/live.js*")
    desk.complaints.clear()
    await desk.ready("/")
    live = await desk.page.locator("#frames").evaluate(_TEXT)

    assert live == plain
    assert HOSTILE in live
    assert await desk.page.locator("#link").get_attribute("data-state") == "live"


async def test_change_appears_without_reload(desk: Desk) -> None:
    await desk.ready("/")
    await desk.page.evaluate("window.stayed = true")
    reason = f"no arc within 5 min {HOSTILE}"
    await change_frame(desk.connection, desk.frame(15, "blue"), "waiting", reason)

    await playwright_api.expect(desk.cell(15, "blue").locator(".badge")).to_have_text("waiting")
    assert await desk.cell(15, "blue").locator(".why").text_content() == reason
    assert await desk.page.evaluate("window.stayed") is True
    await playwright_api.expect(desk.page.locator('[data-count="waiting"] b')).to_have_text("2")


async def test_notice_appears_as_text(desk: Desk) -> None:
    await desk.ready("/")
    await desk.connection.execute(
        "INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)"
        " SELECT max(seq) + 1, max(outbox_id) + 1000, '20260312', 'notice', 'x', 'gone', $1, now() FROM status_event",
        {
            "night": "20260312",
            "entity": "notice",
            "entity_id": "x",
            "state": "gone",
            "at": "2026-03-12T10:00:00Z",
            "payload": {"text": f"The raw folder is away {HOSTILE}"},
        },
    )

    line = desk.page.locator("#notices li").first
    await playwright_api.expect(line).to_have_text(f"10:00:00 The raw folder is away {HOSTILE}")


async def test_keyboard_walks_and_opens(desk: Desk) -> None:
    await desk.ready("/")
    for key in ("j", "j", "l"):
        await desk.page.keyboard.press(key)
    focused = await desk.page.evaluate("document.activeElement.closest('td').dataset.frame")
    assert focused == desk.frame(12, "red")
    await playwright_api.expect(desk.cell(12, "red").locator(".tip")).to_be_visible()
    await desk.page.keyboard.press("Enter")
    await desk.page.wait_for_url("**/frames/**")
    await desk.page.fill("#find", "gratid")
    await playwright_api.expect(desk.page.locator("#header tr:visible")).to_have_count(1)


async def test_counters_filter(desk: Desk) -> None:
    await desk.ready("/")
    await desk.page.click('[data-count="failed"]')

    await playwright_api.expect(desk.page.locator("tr.run:visible")).to_have_count(1)
    await desk.page.click('[data-count="total"]')
    await playwright_api.expect(desk.page.locator("tr.run:visible")).to_have_count(15)


async def test_spectra_by_keys_and_number(desk: Desk) -> None:
    product = desk.rows.products["8/blue/object/1"]
    await desk.ready(f"/products/{product}?fibre=2")
    await desk.page.locator("#plot").focus()
    await desk.page.keyboard.press("ArrowRight")
    await desk.page.wait_for_selector('html[data-ready="3"]')
    assert desk.page.url.endswith("?fibre=3")
    await desk.page.fill("#fibre", "12")
    await desk.page.keyboard.press("Enter")
    await desk.page.wait_for_selector('html[data-ready="12"]')
    await desk.page.check("#sky")
    await asyncio.sleep(0.2)
    inked = await desk.page.evaluate(
        "(() => { const c = document.getElementById('canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
    )
    assert inked > 2000


@pytest.mark.parametrize("width", [360, 1280, 3840])
async def test_no_page_is_wider_than_the_screen(desk: Desk, width: int) -> None:
    await desk.page.set_viewport_size({"width": width, "height": 900})
    product = desk.rows.products["8/blue/object/1"]
    for path in (
        "/",
        "/nights",
        "/products",
        f"/products/{product}",
        f"/frames/{desk.frame(12, 'red')}",
        "/api",
    ):
        await desk.page.goto(f"{desk.url}{path}")
        excess = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert excess <= 0, path
