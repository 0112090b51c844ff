"""A request from the archive to its end, in a real browser: found, asked for, watched, opened, tried again."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paws.clock import utc_now
from paws.database import open_pool
from paws.outbox import announce, status
from paws.settings import Settings
from tests.browser.chromium import CHROMIUM, FLAGS, LOOKS, PATIENCE, SERIOUS, needs_chromium, playwright_api
from tests.support.flow import Flow
from tests.support.night_rows import number_events
from tests.support.rawfiles import raw_frame
from tests.support.reductions import FakeEngine
from tests.web.conftest import serving

pytestmark = needs_chromium
expect = playwright_api.expect
PICTURES = os.environ.get("REQUEST_PICTURES")
"""Folder for pictures of the pages, for people to look at."""


@dataclass
class Desk:
    page: Any
    url: str
    flow: Flow
    engine: FakeEngine
    pool: Any

    async def picture(self, name: str) -> None:
        if not PICTURES:
            return
        for look in LOOKS:
            await self.page.click(f"[data-look={look}]")
            for width in (1280, 360):
                await self.page.set_viewport_size({"width": width, "height": 900})
                await self.page.screenshot(path=f"{PICTURES}/{name}-{look}-{width}.png", full_page=True)
        await self.page.set_viewport_size({"width": 1280, "height": 900})
        await self.page.click("[data-look=dark]")


def _is_trouble(text: Any) -> bool:
    # Chromium calls a form that is refused an error.
    return text.type == "error" and "status of 422" not in text.text


@pytest.fixture
async def desk(database: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    settings = database.model_copy(
        update={
            "match_group_quiet": 0.0,
            "match_wait": 0.0,
            "runner_attempts": 1,
            "mail_to": "observer@localhost",
        }
    )
    paths = []
    for run, kind in enumerate(("MFFFF", "MFARC", "MFOBJECT", "MFOBJECT"), start=1):
        path = tmp_path / f"12mar1{run:04d}.fits"
        path.write_bytes(raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, EXPOSED=30.0))
        paths.append(path)
    engine = FakeEngine()
    async with (
        open_pool(settings) as pool,
        serving(settings) as (address, _app),
        playwright_api.async_playwright() as driver,
    ):
        flow = Flow(settings, pool, engine)
        await flow.take_in(paths)
        await pool.execute("UPDATE frame SET source = 'backfill'")
        await pool.execute("DELETE FROM outbox")
        await pool.execute("INSERT INTO runner_presence VALUES ('here', 'builtin', 2, now())")
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        page = await (
            await browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
        ).new_page()
        page.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda text: complaints.append(text.text) if _is_trouble(text) else None)
        relay = asyncio.create_task(number_all(pool))
        try:
            yield Desk(page, f"http://{address}", flow, engine, pool)
        finally:
            relay.cancel()
        await browser.close()
        assert complaints == [], "the browser complained"


async def number_all(pool: Any) -> None:
    """The relay's part, for ever."""
    while True:
        await number_events(pool)
        await asyncio.sleep(0.1)


async def test_request_from_the_archive_to_its_products(desk: Desk) -> None:
    page = desk.page
    await page.goto(f"{desk.url}/archive?frame_class=science")
    for box in await page.locator("input[name=frame]").all():
        await box.check()
    await page.click("button:has-text('Reduce')")
    await page.wait_for_url("**/requests/new")
    await expect(page.locator("main")).to_contain_text("Reduce 2 frames")
    await expect(page.locator("main")).to_contain_text("arc")
    # Only by the keyboard.
    await page.focus("[name=p-SKYSUB]")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    assert await page.input_value("[name=p-SKYSUB]") == "0"
    marked = await page.locator(".parameter:has([name=p-SKYSUB]) .parameter-name").evaluate(
        "name => getComputedStyle(name, '::after').content"
    )
    assert "changed" in marked
    await page.fill("[name=title]", "without sky")
    await desk.picture("new")
    await page.click("button:has-text('Submit')")
    await page.wait_for_url(re.compile(r"/requests/[0-9a-f]{16}$"))
    await expect(page.locator("#state")).to_contain_text("Initialised")
    await expect(page.locator("main")).to_contain_text("SKYSUB")

    # It is watched, and never loaded anew.
    await page.evaluate("window.untouched = true")
    gate = asyncio.Event()

    async def wait_at_the_object(_folder: Path) -> int:
        await gate.wait()
        return 0

    desk.engine.behaviour[4] = wait_at_the_object
    work = asyncio.create_task(desk.flow.run())
    await expect(page.locator("#state")).to_contain_text("Running")
    await expect(page.locator("#parts")).to_contain_text("reduce object")
    await desk.picture("running")
    gate.set()
    await work
    await expect(page.locator("#state")).to_contain_text("Finished")
    await expect(page.locator("#progress")).to_contain_text("6 of 6 reductions done")
    assert await page.evaluate("window.untouched") is True
    await desk.picture("finished")
    await page.click("#parts a:has-text('product') >> nth=0")
    await expect(page.locator("h1")).to_contain_text("on request")
    await page.goto(f"{desk.url}/requests")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("main")).to_contain_text("1 request in the last 7 days")
    await desk.picture("list")


async def submitted(desk: Desk) -> None:
    """Ask for both science frames."""
    frames = await desk.pool.fetch("SELECT frame_id FROM frame WHERE frame_class = 'MFOBJECT' ORDER BY run")
    await desk.page.goto(f"{desk.url}/requests/new?" + "&".join(f"frame={row['frame_id']}" for row in frames))
    await desk.page.click("button:has-text('Submit')")
    await desk.page.wait_for_url(re.compile(r"/requests/[0-9a-f]{16}$"))


async def test_the_page_looks_when_the_feed_tells_of_its_night(desk: Desk) -> None:
    page = desk.page
    looks: list[str] = []
    heard: list[str] = []
    page.on("request", lambda sent: looks.append(sent.url) if sent.resource_type == "fetch" else None)
    page.on("websocket", lambda socket: socket.on("framereceived", lambda text: heard.append(str(text))))

    async def tell(night: str, text: str) -> None:
        """Announce something, and wait until the page has heard of it."""
        event = status("notice", text, "told", night, utc_now())
        async with desk.pool.acquire() as connection:
            await announce(connection, [event])
        while not any(text in message for message in heard):
            await page.wait_for_timeout(20)

    # The page's time stands still but for what is given to it here: nothing is under way when it is given.
    await page.clock.install()
    await page.clock.pause_at(utc_now() + timedelta(seconds=1))
    await submitted(desk)
    await expect(page.locator("#link")).to_have_attribute("data-state", "live")
    assert looks == []
    # Long enough for what follows from the snapshot, not so long that the feed counts as dead.
    async with page.expect_request_finished(lambda sent: sent.resource_type == "fetch"):
        await page.clock.fast_forward(12_000)
    await page.wait_for_timeout(200)
    looks.clear()
    await tell("20010101", "of another night")
    await page.clock.run_for(5_000)
    assert looks == []
    await tell("20260312", "of its own")
    async with page.expect_request_finished(lambda sent: sent.resource_type == "fetch"):
        await page.clock.run_for(1_000)
    assert looks == [page.url]


async def check_that_all_can_use(desk: Desk, axe_source: str, addresses: list[str]) -> None:
    """No page is wider than the screen, and axe-core finds nothing serious in any look."""
    found: dict[str, list[str]] = {}
    for address in addresses:
        await desk.page.goto(address)
        for width in (3840, 360, 1280):
            await desk.page.set_viewport_size({"width": width, "height": 900})
            excess = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert excess <= 0, (address, width)
        await desk.page.evaluate(axe_source)
        for look in LOOKS:
            await desk.page.click(f"[data-look={look}]")
            told = await desk.page.evaluate(SERIOUS)
            if told:
                found[f"{address} {look}"] = told
    assert not found, found


async def test_failed_request_is_tried_again_and_cloned(desk: Desk, axe: str) -> None:
    page = desk.page
    # Without the feed pages look by themselves.
    await page.route_web_socket("**/ws/status*", lambda socket: socket.close())
    desk.engine.behaviour[5] = lambda _folder: 2
    frames = await desk.pool.fetch("SELECT frame_id FROM frame WHERE frame_class = 'MFOBJECT' ORDER BY run")
    form = f"{desk.url}/requests/new?" + "&".join(f"frame={row['frame_id']}" for row in frames)
    await page.goto(form)
    await page.fill("[name=title]", "a title that is rather long " * 4)
    await page.fill("[name=webhook]", "https://hooks.example.org/paws")
    await page.click("button:has-text('Submit')")
    await page.wait_for_url(re.compile(r"/requests/[0-9a-f]{16}$"))
    await expect(page.locator("#link")).to_have_attribute("data-state", "wait")
    await desk.flow.run()
    await expect(page.locator("#state")).to_contain_text("1 of 5 parts failed")
    await expect(page.locator("#link")).to_be_hidden()
    await desk.picture("partly")
    one = page.url
    await check_that_all_can_use(
        desk, axe, [form, f"{desk.url}/requests", f"{desk.url}/requests?q=nothing", one]
    )
    await page.click("button:has-text('Try again')")
    await expect(page.locator("#state")).to_contain_text("Initialised")
    await desk.flow.run()
    await expect(page.locator("#state")).to_have_text(re.compile(r"^\s*Finished\s*$"))
    await page.click("a:has-text('Clone with changes')")
    await page.fill("[name=p-CSIGREJ]", "hundreds")
    await page.click("button:has-text('Submit')")
    await expect(page.locator("#wrong-CSIGREJ")).to_have_text("expected a number")
    await page.fill("[name=p-CSIGREJ]", "4")
    await page.click("button:has-text('Submit')")
    await page.wait_for_url(re.compile(r"/requests/[0-9a-f]{16}$"))
    await expect(page.locator("main")).to_contain_text("instead of 5")
    await page.click("button:has-text('Cancel')")
    await desk.flow.run()
    await expect(page.locator("#state")).to_contain_text("Cancelled")
