"""The explorer in front of the archive, and by itself in front of files."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from astropy.io import fits

from paws.settings import load_settings
from schemas.vocabulary import Arm
from tests.support.explorer_files import LABEL, write_field
from tests.support.night_plan import HOSTILE
from tests.support.people import MY_FIELD, THEIR_FIELD, House
from tests.web.conftest import Site, running
from tests.web.test_pages import Outline
from web.explorer.app import create_explorer, loopback
from web.explorer.arrays import decode
from web.explorer.files import FileShelf, gather
from web.explorer.pages import EXPLORER_POLICY
from web.security import SECURITY_HEADERS, policy_with
from web.spectra import read_spectrum


@asynccontextmanager
async def exploring(folder: Path) -> AsyncIterator[tuple[FileShelf, httpx.AsyncClient]]:
    """The explorer in front of the files of a folder: no database anywhere."""
    shelf = FileShelf(gather([folder])[0])
    app = create_explorer(loopback(load_settings(data_dir=folder / "none"), 0), shelf)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield shelf, client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files")
    write_field(path / "blue", fibres=30, samples=90)
    write_field(path / "red", arm=Arm.RED, fibres=30, samples=90, names=HOSTILE + "{}")
    return path


# ---- the archive ----


async def test_tree_has_every_current_product_with_spectra(site: Site, client: httpx.AsyncClient) -> None:
    page = (await client.get("/explorer")).text
    linked = set(re.findall(r'data-product="([^"]+)"', page))
    expected = {
        product
        for name, product in site.rows.products.items()
        if "/object/" in name or "/spliced_combined/" in name
    }
    superseded = {site.rows.products[f"12/{arm}/object/1"] for arm in ("blue", "red")}
    assert linked == expected - superseded
    text = Outline(page).text
    for part in ("plate 0", "plate 1", "580V", "385R", "set-up 1", "spliced", "20260312-FLD195_v03-p1"):
        assert part in text, part


async def test_tree_is_searched_by_words(client: httpx.AsyncClient) -> None:
    for words, least, most in (
        ("fld195 580v", 1, 20),
        ("spliced", 1, 1),
        ("100%_", 0, 0),
        ("20260312", 5, 100),
    ):
        found = (await client.get("/api/explorer/products", params={"q": words})).json()
        assert least <= found["total"] == len(found["items"]) <= most, words
    page = (await client.get("/explorer/tree", params={"q": "<b>"})).text
    assert "<b>" not in page.replace("<b>0</b>", "")
    assert "&lt;b&gt;" in page


async def test_narrow_answer_says_how_many_there_are(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/explorer/products?limit=1")).json()
    assert len(found["items"]) == 1
    assert found["total"] > 5
    assert f"The newest 1 of {found['total']}" in (await client.get("/explorer/tree?limit=1")).text


async def test_page_reads_without_javascript(site: Site, client: httpx.AsyncClient) -> None:
    found = await client.get(f"/explorer?product={site.product()}&fibre=3")
    outline = Outline(found.text)
    assert len(set(outline.ids)) == len(outline.ids)
    assert not outline.handlers
    rows = re.findall(r'<tr data-fibre="(\d+)" data-type="(.)"', found.text)
    assert [int(number) for number, _ in rows] == list(range(1, 41))
    assert {kind for _, kind in rows} == set("PSFUN")
    for part in (MY_FIELD, "plate 1", "broken", "parked", "guide", "sky", "Product page"):
        assert part in outline.text, part
    assert found.headers["content-security-policy"] == EXPLORER_POLICY


async def test_compared_are_products_of_the_same_field_and_night(
    site: Site, client: httpx.AsyncClient
) -> None:
    view = (await client.get(f"/api/products/{site.product()}/plate")).json()
    assert {one["field"] for one in view["beside"]} == {MY_FIELD}
    titles = {one["title"] for one in view["beside"]}
    assert {"object 0008 red", "object 0009 blue", "spliced combined"} <= titles
    assert site.product() not in {one["product_id"] for one in view["beside"]}
    assert view["planes"] == ["sigma", "sky", "raw"]


async def test_recorded_signal_to_noise_is_shown(site: Site, client: httpx.AsyncClient) -> None:
    plate = (await client.get(f"/api/products/{site.product()}/plate")).json()
    fibres = (await client.get(f"/api/products/{site.product()}/fibres")).json()["fibres"]
    assert [one["signal_to_noise"] for one in plate["fibres"]] == [one["signal_to_noise"] for one in fibres]
    assert any(one["signal_to_noise"] for one in fibres)


async def test_arrays_are_the_spectrum_and_are_kept(site: Site, client: httpx.AsyncClient) -> None:
    address = f"/api/products/{site.product()}/spectra/3/arrays"
    found = await client.get(address)
    plain = (await client.get(f"/api/products/{site.product()}/spectra/3")).json()
    header, arrays = decode(found.content)
    assert (header["name"], header["start"]) == (plain["fibre"]["name"], plain["start"])
    flux = np.array([np.nan if value is None else value for value in plain["flux"]])
    np.testing.assert_allclose(arrays["flux"], flux, rtol=1e-6)
    assert found.headers["cache-control"] == "private, no-cache"
    again = await client.get(address, headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_figures_have_a_value_for_every_fibre(site: Site, client: httpx.AsyncClient) -> None:
    found = await client.get(f"/api/products/{site.product()}/figures")
    figures = found.json()
    assert {len(values) for name, values in figures.items() if isinstance(values, list)} == {40}
    assert figures["throughput"] is None, "this product has no THPUT"
    assert figures["filled"][11] == 0.0, "a broken fibre"
    again = await client.get(found.request.url.path, headers={"If-None-Match": found.headers["etag"]})
    assert again.status_code == 304


async def test_product_without_spectra_says_so_and_offers_others(
    site: Site, client: httpx.AsyncClient
) -> None:
    found = await client.get(f"/explorer?product={site.product(1, 'blue', 'bias')}")
    assert found.status_code == 404
    text = Outline(found.text).text
    assert "holds an image of the detector" in text
    assert "FLD195_v03" in text


@pytest.mark.parametrize(
    "query",
    [
        "product=x&fibre=0", "product=x&z=99", "product=x&smooth=5000", "product=x&medium=water", "product=x&layers=<b>",
        "product=x&range=1", "product=x&colour=pink", "product=x&nonsense=1", "product=x&product=y", "limit=0",
    ],
)  # fmt: skip
async def test_wrong_parameters_are_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/explorer?{query}")).status_code == 422


async def test_header_values_are_text(hostile_site: Site) -> None:
    path = next(hostile_site.settings.versions_dir.rglob("OBJ0008red.fits"))
    with fits.open(path, mode="update") as hdus:
        hdus["FIBRES"].data["NAME"] = [HOSTILE[:80]] * 40
        hdus["FIBRES"].header["LABEL"] = HOSTILE[:60]
        hdus[0].header["BUNIT"] = "</script><b>"
    async with running(hostile_site.settings) as (app, client):
        await app.state.web.pool.execute("UPDATE product SET field = $1", HOSTILE)
        identifier = await app.state.web.pool.fetchval(
            "SELECT product_id FROM product WHERE stored_path LIKE '%' || $1", "/".join(path.parts[-2:])
        )
        for address in (f"/explorer?product={identifier}", "/explorer", f"/explorer/tree?q={HOSTILE}"):
            html = (await client.get(address)).text
            assert HOSTILE not in html, address
            assert "</script><b>" not in html
        page = (await client.get(f"/explorer?product={identifier}")).text
        told = json.loads(re.findall(r'id="view">(.*?)</script>', page, re.S)[0])
        assert told["fibres"][0]["name"] == HOSTILE[:80]


# ---- who sees what ----


async def test_what_may_not_be_seen_looks_like_what_is_not_there(house: House) -> None:
    lea, visitor, root = await house.person("lea"), house.browser(), await house.person("root")
    hidden = house.rows.products["8/blue/object/1"]
    assert (await root.get(f"/explorer?product={hidden}")).status_code == 200
    nothing = "0" * 20 + "-object"
    for client in (lea, visitor):
        found = await client.get(f"/explorer?product={hidden}")
        other = await client.get(f"/explorer?product={nothing}")
        assert found.status_code == other.status_code == 404
        assert found.text.replace(hidden, "X") == other.text.replace(nothing, "X")
        assert hidden not in (await client.get("/explorer")).text
    assert (await visitor.get("/api/explorer/products")).json() == {"items": [], "total": 0}
    assert (await visitor.get("/explorer")).text.count("data-product") == 0
    some = (await lea.get("/api/explorer/products")).json()
    assert 0 < some["total"] < (await root.get("/api/explorer/products")).json()["total"]
    assert {one["field"] for one in some["items"]} == {THEIR_FIELD}


# ---- files ----


async def test_files_need_no_database(folder: Path) -> None:
    async with exploring(folder) as (shelf, client):
        assert (await client.get("/")).headers["location"] == "/explorer"
        for one in shelf.products:
            page = await client.get(f"/explorer?product={one.product_id}")
            assert page.status_code == 200
            assert HOSTILE not in page.text
            assert LABEL in page.text
            assert "Product page" not in page.text
            found = await client.get(f"/api/products/{one.product_id}/spectra/2/arrays")
            opened = folder / one.path
            expected = read_spectrum(opened, 2)[1].flux
            np.testing.assert_allclose(decode(found.content)[1]["flux"], expected, rtol=1e-6)
        tabs = re.findall(r'data-key="(.)"', page.text)
        assert tabs == ["e"], "pages that are not there are not linked"
        assert (await client.get("/keys")).status_code == 200


async def test_only_the_named_files_are_served(folder: Path) -> None:
    async with exploring(folder / "blue") as (_shelf, client):
        for other in ("../red/OBJ0008red.fits", "%2e%2e%2fred", "/etc/passwd", "OBJ0008red.fits"):
            assert (await client.get(f"/api/products/{other}/plate")).status_code == 404
        assert (await client.get("/explorer", params={"product": "nothing"})).status_code == 404


async def test_files_are_for_this_machine(folder: Path) -> None:
    async with exploring(folder) as (_shelf, client):
        foreign = await client.get("/explorer", headers={"Host": "evil.example"})
        proxied = await client.get("/explorer", headers={"X-Forwarded-For": "192.0.2.1"})
        assert foreign.status_code == proxied.status_code == 403
    settings = loopback(load_settings(access="open-to-everyone", web_host="0.0.0.0"), 0)
    assert (settings.web_host, settings.access) == ("127.0.0.1", "open")


# ---- the sky ----


async def test_sky_may_ask_its_server_and_no_other(site: Site) -> None:
    settings = site.settings.model_copy(update={"sky_images": "https://hips.example/DSS"})
    async with running(settings) as (_app, client):
        found = await client.get("/explorer/sky")
    policy = dict(part.split(" ", 1) for part in found.headers["content-security-policy"].split("; "))
    assert policy["connect-src"] == "'self' data: blob: https://hips.example"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["frame-ancestors"] == "'self'"
    assert found.headers["x-frame-options"] == "SAMEORIGIN"
    assert 'data-images="https://hips.example/DSS"' in found.text


async def test_without_a_survey_nobody_is_asked(site: Site) -> None:
    settings = site.settings.model_copy(update={"sky_images": ""})
    async with running(settings) as (_app, client):
        page = (await client.get(f"/explorer?product={site.product()}")).text
        sky = await client.get("/explorer/sky")
    assert "<iframe" not in page
    assert "https:" not in sky.headers["content-security-policy"]


def test_policy_of_a_page_adds_to_the_usual() -> None:
    usual = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy_with() == usual
    found = policy_with(frame_ancestors="'self'", img_src="blob:", worker_src="blob:")
    assert "frame-ancestors 'self'" in found
    assert "img-src 'self' blob:" in found
    assert found.endswith("worker-src blob:")
    assert "unsafe-inline" not in EXPLORER_POLICY
