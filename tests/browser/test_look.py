"""How the pages look and whether everybody can use them: looks, keys, small and large screens, axe-core."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from paws.accounts import passwords
from paws.settings import Settings
from tests.browser.chromium import CHROMIUM, FLAGS, LOOKS, PATIENCE, SERIOUS, needs_chromium, playwright_api
from tests.support.night_plan import NIGHT
from tests.support.night_rows import NightRows, write_night
from tests.support.people import CHEAP, MINE, MY_FIELD, PASSWORD, THEIR_FIELD, THEIRS, populate
from tests.web.conftest import serving

pytestmark = needs_chromium


@dataclass
class Desk:
    """A browser, the pages behind accounts, and the night."""

    context: Any
    page: Any
    url: str
    rows: NightRows
    complaints: list[str]

    async def go(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")

    async def sign_in(self, name: str) -> None:
        await self.go("/sign-in")
        await self.page.fill("[name=name]", name)
        await self.page.fill("[name=password]", PASSWORD)
        await self.page.click("main button[type=submit]")
        await self.page.wait_for_selector(".who")


@pytest.fixture
async def desk(database: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords._hash_of_nothing.cache_clear()
    rows = await write_night(database)
    await populate(database)
    settings = database.model_copy(update={"access": "accounts", "web_url": "http://paws.invalid"})
    async with serving(settings) as (address, _app), playwright_api.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        # What axe-core adds to a page is not ours to allow.
        context = await browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Desk(context, page, f"http://{address}", rows, complaints)
        await browser.close()
    passwords._hash_of_nothing.cache_clear()
    assert complaints == [], "the browser complained"


def everywhere(rows: NightRows) -> list[str]:
    return [
        "/",
        "/nights",
        f"/nights/{NIGHT}",
        f"/nights/{NIGHT}/fields",
        f"/nights/{NIGHT}/matrix",
        f"/nights/{NIGHT}/orders?frame={rows.frames[12, 'red'].frame_id}",
        "/thresholds",
        "/archive",
        "/archive?view=fields",
        f"/archive?object={MY_FIELD}&position=35.5+-28.7&frame_class=science&plate=1",
        "/archive/selection?frame_class=MFARC",
        f"/archive/field?night={NIGHT}&field={MY_FIELD}&plate=1",
        "/products",
        "/requests",
        f"/products/{rows.products['8/blue/object/1']}",
        f"/downloads?night={NIGHT}&field={MY_FIELD}&content=everything&pdfs=false",
        f"/downloads?product={rows.products['8/red/object/1']}",
        f"/frames/{rows.frames[12, 'red'].frame_id}",
        f"/frames/{rows.frames[10, 'red'].frame_id}",
        f"/reductions/{rows.jobs[rows.frames[10, 'red'].frame_id]}",
        f"/log/{NIGHT}",
        "/api",
        "/keys",
        "/account",
        f"/account/shares?proposal={MINE}",
        "/people",
        "/people/groups",
        f"/people/group?proposal={THEIRS}",
        "/people/audit",
        "/shared",
        "/tables",
        "/tap",
        "/query",
        "/query?run=1&maxrec=500&query=SELECT+target_name,s_ra,s_dec,access_url+FROM+ivoa.obscore",
        "/tables/new",
        "/tables/TAP_SCHEMA.columns",
        "/explorer",
        f"/explorer?product={rows.products['8/blue/object/1']}&lines=emission,night&colour=snr",
        "/nothing-of-that-name",
    ]


@pytest.mark.timeout(600)
async def test_axe_finds_nothing_serious_on_any_page_in_any_look(desk: Desk, axe: str) -> None:
    found: dict[str, list[str]] = {}

    async def check(path: str) -> None:
        await desk.go(path)
        await desk.page.evaluate(axe)
        for look in LOOKS:
            await desk.page.click(f"[data-look={look}]")
            await desk.page.wait_for_function(f"document.documentElement.dataset.theme === '{look}'")
            told = await desk.page.evaluate(SERIOUS)
            if told:
                found[f"{path} {look}"] = told

    for path in ("/sign-in", "/forgot", "/reset?key=x", "/"):
        await check(path)
    await desk.sign_in("root")
    for path in everywhere(desk.rows):
        await check(path)
    assert not found, "\n".join(f"{where}: {what}" for where, what in found.items())


async def test_look_is_kept_and_comes_with_the_page(desk: Desk) -> None:
    await desk.go("/nights")
    html = desk.page.locator("html")
    assert await html.get_attribute("data-theme") == "dark"
    await desk.page.keyboard.press("t")
    await playwright_api.expect(html).to_have_attribute("data-theme", "red")
    answer = await desk.context.request.get(f"{desk.url}/nights")
    assert '<html lang="en" data-theme="red">' in await answer.text(), "the server writes it: nothing flashes"
    red = await desk.page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert max(red) <= 8
    await desk.page.keyboard.press("t")
    await desk.page.keyboard.press("t")
    await playwright_api.expect(html).to_have_attribute("data-theme", "dark")


async def test_look_is_chosen_without_javascript(desk: Desk) -> None:
    context = await desk.context.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{desk.url}/products?arm=blue")
    await page.click("[data-look=light]")
    assert page.url == f"{desk.url}/products?arm=blue"
    assert await page.locator("html").get_attribute("data-theme") == "light"


async def test_keys_lead_around(desk: Desk) -> None:
    await desk.go("/")
    await desk.page.keyboard.press("Tab")
    await desk.page.keyboard.press("Enter")
    # The skip link; the focus follows a moment after the key.
    await desk.page.wait_for_function("document.activeElement.id === 'main'")
    await desk.page.keyboard.press("g")
    await desk.page.keyboard.press("n")
    await desk.page.wait_for_url("**/nights")
    await desk.page.keyboard.press("?")
    await desk.page.wait_for_url("**/keys")
    await desk.go("/sign-in")
    await desk.page.locator("[name=name]").press_sequentially("gp?t")
    assert await desk.page.input_value("[name=name]") == "gp?t", "letters in a field are letters"
    assert desk.page.url.endswith("/sign-in")


async def test_only_what_exists_is_linked(desk: Desk) -> None:
    await desk.go("/")
    for address in await desk.page.locator(".tabs a").evaluate_all("links => links.map(link => link.href)"):
        assert (await desk.context.request.get(address)).status == 200, address


@pytest.mark.parametrize("width", [360, 1280, 3840])
async def test_no_page_is_wider_than_the_screen(desk: Desk, width: int) -> None:
    await desk.sign_in("root")
    await desk.page.set_viewport_size({"width": width, "height": 900})
    for path in everywhere(desk.rows):
        await desk.go(path)
        excess = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert excess <= 0, path


async def test_share_link_from_end_to_end(desk: Desk) -> None:
    await desk.sign_in("theo")
    await desk.page.click(".who")
    await desk.page.click("text=Share links")
    await desk.page.check(f"[name=field][value={THEIR_FIELD}]")
    await desk.page.fill("[name=note]", "for Ann")
    await desk.page.click("text=Make a link")
    link = await desk.page.input_value("[data-select]")
    guest = await (await desk.context.browser.new_context()).new_page()
    await guest.goto(link.replace("http://paws.invalid", desk.url))
    await guest.click(f"text={THEIR_FIELD}")
    await playwright_api.expect(guest.locator("tbody tr").first).to_be_visible()
    await guest.goto(desk.url)
    await playwright_api.expect(guest.locator("tr.run:visible").first).to_be_visible()
    assert await guest.locator("#link").get_attribute("data-state") in ("off", "live", "wait")
    await playwright_api.expect(guest.locator("#link")).to_have_attribute("data-state", "live")
