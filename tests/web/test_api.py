from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io import fits
from jsonschema import Draft202012Validator

from tests.support.night_plan import NIGHT
from tests.web.conftest import Site, running
from web.api.openapi import openapi
from web.api.table import API


def values_for(path: str, site: Site) -> str:
    key = site.rows.jobs[site.frame(10, "red")]
    download = f"?product={site.product()}&pdfs=false"
    asked = {
        "/api/archive/calibrations": f"?frame={site.frame(12)}",
        "/api/downloads": download,
        "/api/downloads/{part}": download,
    }.get(path, "")
    found = path.format(
        night=NIGHT,
        frame_id=site.frame(12),
        product_id=site.product(),
        job_key=key,
        fibre=1,
        part="archive.tar",
        table="TAP_SCHEMA.columns",
        format="fits",
    )
    return found + asked


def inline(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}


async def test_every_route_answers_as_documented(site: Site, client: httpx.AsyncClient) -> None:
    document = openapi(API)
    assert (await client.get("/api/openapi.json")).json() == document
    for path, item in document["paths"].items():
        if "get" not in item or "{request_id}" in path:
            continue  # requests are made, and looked at, in test_requests_api
        found = await client.get(values_for(path, site))
        assert found.status_code == 200, (path, found.text)
        content = item["get"]["responses"]["200"]["content"]
        assert found.headers["content-type"].split(";")[0] in content, path
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            Draft202012Validator(inline(document, schema)).validate(found.json())


async def test_errors_are_problem_documents(site: Site, client: httpx.AsyncClient) -> None:
    document = openapi(API)
    schema = Draft202012Validator(inline(document, {"$ref": "#/components/schemas/Problem"}))
    for path, status in [
        ("/api/frames?limit=0", 422),
        ("/api/frames?limit=99999", 422),
        ("/api/frames?offset=-1", 422),
        ("/api/frames?state=lost", 422),
        ("/api/frames?nigth=20260312", 422),
        ("/api/frames?run=1&run=2", 422),
        ("/api/frames?q=%00", 422),
        ("/api/frames/nothing", 404),
        ("/api/frames/%00", 404),
        (f"/api/frames/{'x' * 500}", 404),
        ("/api/reductions/abc", 404),
        (f"/api/reductions/{'0' * 64}", 404),
        ("/api/products/nothing", 404),
        ("/api/products/..%2f..%2fetc/fibres", 404),
        (f"/api/products/{site.product()}/spectra/0", 404),
        (f"/api/products/{site.product()}/spectra/41", 404),
        (f"/api/products/{site.product()}/spectra/1e3", 404),
        (f"/api/products/{site.product(1, 'blue', 'bias')}/fibres", 404),
        ("/api/log/2026-03-12", 404),
        ("/api/nothing", 404),
    ]:
        found = await client.get(path)
        assert found.status_code == status, (path, found.text)
        assert found.headers["content-type"] == "application/problem+json", path
        schema.validate(found.json())
        assert found.json()["status"] == status
    wrong = (await client.get("/api/frames?limit=0&nigth=1")).json()
    assert {item["name"] for item in wrong["errors"]} == {"limit", "nigth"}


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    for path in ("/api/frames", "/", "/api/status"):
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.request(method, path)).status_code == 405


async def test_frames_are_filtered_and_paged(client: httpx.AsyncClient) -> None:
    async def ask(query: str) -> dict[str, Any]:
        return dict((await client.get(f"/api/frames?{query}")).json())

    every = await ask("limit=1000")
    assert every["total"] == len(every["items"]) == 30
    pages = [
        item["frame_id"]
        for offset in (0, 10, 20)
        for item in (await ask(f"limit=10&offset={offset}"))["items"]
    ]
    assert pages == [item["frame_id"] for item in every["items"]]
    assert (await ask("arm=red"))["total"] == 15
    assert (await ask("frame_class=BIAS"))["total"] == 6
    assert (await ask("state=failed"))["items"][0]["error_code"] == "engine_failed"
    assert {item["field"] for item in (await ask("q=sgp"))["items"]} == {"SGP0344_deep"}
    assert (await ask("q=%25"))["total"] == 0, "a per cent sign is taken literally"
    assert (await ask("q=_ot"))["total"] == 0, "so is an underscore"
    assert (await ask("night=20250101"))["total"] == 0


async def test_frame_tells_its_whole_story(site: Site, client: httpx.AsyncClient) -> None:
    found = (await client.get(f"/api/frames/{site.frame(12, 'red')}")).json()

    assert found["state"] == "reduced"
    assert found["level"] == 1
    assert found["provisional"] is True
    assert found["exposure"]["bright"] == 936.0
    assert found["header"]["GRATID"] == "385R"
    assert {choice["role"] for choice in found["decision"]["choices"]} == {"tlm", "arc", "fflat"}
    assert [product["version"] for product in found["products"]] == [2, 1]


async def test_spectrum_is_what_the_file_holds(site: Site, client: httpx.AsyncClient) -> None:
    product = (await client.get(f"/api/products/{site.product()}")).json()
    (path,) = site.settings.versions_dir.glob(f"*/{product['job_key']}/*.fits")
    with fits.open(path) as hdus:
        data, variance, sky = hdus[0].data[4], hdus["VARIANCE"].data[4], hdus["SKY"].data[0]
        names = hdus["FIBRES"].data["NAME"]
        start, step = hdus[0].header["CRVAL1"], hdus[0].header["CDELT1"]

    found = (await client.get(f"/api/products/{site.product()}/spectra/5")).json()
    flux = np.array(found["flux"], dtype=np.float32)
    np.testing.assert_array_equal(flux, data)
    np.testing.assert_allclose(np.array(found["sigma"], dtype=float), np.sqrt(variance), rtol=1e-6)
    np.testing.assert_array_equal(np.array(found["sky"], dtype=np.float32), sky)
    assert found["flux"][0] is None, "NaN travels as null"
    assert found["fibre"]["name"] == names[4]
    assert (found["start"], found["step"]) == pytest.approx((start, step))


async def test_spectrum_is_not_sent_twice(site: Site, client: httpx.AsyncClient) -> None:
    path = f"/api/products/{site.product()}/spectra/5"
    tag = (await client.get(path)).headers["etag"]

    again = await client.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(f"/api/products/{site.product()}/spectra/6", headers={"If-None-Match": tag})
    assert other.status_code == 200


async def test_fibres_of_every_type_are_shown(site: Site, client: httpx.AsyncClient) -> None:
    found = (await client.get(f"/api/products/{site.product()}/fibres")).json()

    assert len(found["fibres"]) == 40
    assert {fibre["type"] for fibre in found["fibres"]} == {"P", "S", "F", "U", "N"}
    assert all((fibre["signal_to_noise"] is not None) == (fibre["type"] == "P") for fibre in found["fibres"])


async def test_products_are_filtered(site: Site, client: httpx.AsyncClient) -> None:
    async def ask(query: str) -> list[dict[str, Any]]:
        return list((await client.get(f"/api/products?limit=1000&{query}")).json()["items"])

    assert all(product["current"] for product in await ask(""))
    assert len(await ask("current=false")) == len(await ask("")) + 2
    assert {product["kind"] for product in await ask("spectra=true")} == {"object", "spliced_combined"}
    assert {product["field"] for product in await ask("field=FLD195_v03")} == {"FLD195_v03"}
    assert {product["run"] for product in await ask(f"frame={site.frame(9)}")} == {9, None}


async def test_status_is_one_moment(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/status")).json()

    assert (found["night"], len(found["frames"]), len(found["rejected"])) == (NIGHT, 30, 1)
    assert found["seq"] == 30
    absent = (await client.get("/api/status?night=20200101")).json()
    assert (absent["night"], absent["frames"]) == ("20200101", [])


async def test_empty_system_answers(database: Any) -> None:
    async with running(database) as (_app, client):
        for path in ("/api/nights", "/api/frames", "/api/products", "/api/reductions", "/api/rejected"):
            assert (await client.get(path)).json()["items"] == []
        assert (await client.get("/api/status")).json()["night"] is None
