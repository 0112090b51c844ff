"""From a question to a request, in a real browser: sign in, ask, select over pages, look at a field, reduce."""

from __future__ import annotations

from tests.browser.chromium import needs_chromium, playwright_api
from tests.browser.test_look import Desk, desk  # noqa: F401 - a fixture
from tests.support.night_plan import NIGHT
from tests.support.people import MY_FIELD

pytestmark = needs_chromium


async def test_frames_are_asked_for_selected_and_reduced(desk: Desk) -> None:  # noqa: F811 - the fixture
    page = desk.page
    await desk.go("/archive")
    assert (
        await page.locator("main .empty").inner_text()
        == "Nothing fits: there is nothing here that you may see."
    )
    await desk.sign_in("mia")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await page.wait_for_url("**/archive")
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.name") == "object"
    await page.keyboard.type(MY_FIELD.lower())
    await page.select_option("[name=frame_class]", "science")
    await page.click("text=Search")
    await page.wait_for_url("**/archive?*object=fld195_v03*")
    await playwright_api.expect(page.locator(".frames-found tbody tr")).to_have_count(6)

    await page.goto(f"{page.url}&limit=4")
    submit = page.locator("#selection button[type=submit]")
    await playwright_api.expect(submit).to_be_disabled()
    for key in ("j", "x", "j", "x", "x", "j", "x"):
        await page.keyboard.press(key)
    await playwright_api.expect(submit).to_have_text("Reduce 2 frames")
    await page.click("a[rel=next]")
    await page.wait_for_url("**offset=4**")
    await playwright_api.expect(page.locator("#chosen-elsewhere")).to_have_text("2 on other pages")
    await page.check("#chosen-page")
    await playwright_api.expect(submit).to_have_text("Reduce 4 frames")
    await page.locator("input[name=frame]").first.uncheck()
    await page.go_back()
    chosen = await page.locator("input[name=frame]:checked").evaluate_all(
        "boxes => boxes.map(box => box.value)"
    )
    assert len(chosen) == 2, "the selection lasts"
    await page.reload()
    await submit.click()
    await page.wait_for_url("**/requests/new")
    asked = await page.locator("input[name=frame]").evaluate_all("fields => fields.map(field => field.value)")
    assert len(set(asked)) == 3
    assert set(chosen) < set(asked)


async def test_field_tells_what_its_frames_would_be_reduced_with(desk: Desk) -> None:  # noqa: F811 - the fixture
    page = desk.page
    await desk.sign_in("mia")
    await desk.go("/archive?view=fields")
    await page.click(f"text={MY_FIELD}")
    await page.wait_for_url(f"**/archive/field?night={NIGHT}&field={MY_FIELD}&plate=1")
    group = page.locator("section").nth(1)
    await playwright_api.expect(group.locator("h2")).to_contain_text("red 385R at 7250 Å")
    line = group.locator(".prospects > li").nth(1)
    await playwright_api.expect(line.locator("table")).to_be_hidden()
    await line.locator("summary").first.focus()
    await page.keyboard.press("Enter")
    await playwright_api.expect(line.locator("table")).to_be_visible()
    tramlines = line.locator("tbody tr").first
    await playwright_api.expect(tramlines).to_contain_text("12mar20006")
    await tramlines.locator("summary").click()
    await playwright_api.expect(tramlines.locator("li")).to_contain_text("24% of the pixels are saturated")
    await line.locator(".frame-of a").click()
    await page.wait_for_url("**/frames/**")


async def test_whole_answers_and_positions_that_cannot_be_read(desk: Desk) -> None:  # noqa: F811 - the fixture
    page = desk.page
    await desk.sign_in("root")
    await desk.go("/archive?frame_class=MFARC&limit=2")
    await page.click("text=All 4 found")
    await playwright_api.expect(page.locator("h1")).to_have_text("4 frames to reduce")
    await page.click("main button.main")
    await page.wait_for_url("**/requests/new")

    await desk.go("/archive?position=10+95&arm=blue")
    await playwright_api.expect(page.locator("#problem")).to_contain_text("declination from -90 to +90")
    await page.fill("[name=position]", "02 22 00 -28 45 00")
    await page.keyboard.press("Enter")
    await playwright_api.expect(page.locator(".head .muted")).to_have_text("6 frames")
    assert "arm=blue" in page.url
