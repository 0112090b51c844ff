"""Somebody without rights learns nothing: not in lists, counts, pages, files, the feed, or errors."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.night_plan import NIGHT
from tests.support.people import MINE, MY_FIELD, THEIR_FIELD, THEIRS, House, send

LISTS = (
    "/",
    "/nights",
    f"/nights/{NIGHT}",
    *(f"/nights/{NIGHT}/{page}" for page in ("watch", "fields", "matrix", "orders")),
    "/thresholds",
    "/products",
    "/products?current=false&limit=1000",
    f"/log/{NIGHT}",
    f"/log/{NIGHT}.csv",
    "/api/nights",
    "/api/status",
    f"/api/status?night={NIGHT}",
    "/api/frames?limit=1000",
    "/api/reductions?limit=1000",
    "/api/products?limit=1000&current=false",
    "/api/rejected",
    f"/api/log/{NIGHT}",
    f"/api/nights/{NIGHT}/fields",
    f"/api/nights/{NIGHT}/orders",
    "/healthz",
    "/explorer?limit=1000",
    "/explorer/tree?limit=1000",
    "/api/explorer/products?limit=1000",
    "/archive?limit=500",
    "/archive?view=fields",
    "/archive/frames.csv",
    "/archive/frames.vot",
    "/archive/selection",
    "/api/archive/frames?limit=1000",
    "/archive?position=35.4986+-28.7495&radius=2",
)


async def secrets_of(house: House, field: str) -> dict[str, list[str]]:
    """Everything that names a field's data: what must not be told, and where it lies."""
    frames = [frame.frame_id for frame in house.frames_of(field)]
    stems = [frame.name.removesuffix(".fits") for frame in house.frames_of(field)]
    jobs = await house.pool.fetch(
        "SELECT DISTINCT job_key FROM reduction_frame WHERE frame_id = ANY($1::text[])", frames
    )
    products = await house.pool.fetch(
        "SELECT DISTINCT product_id FROM product_frame WHERE frame_id = ANY($1::text[])", frames
    )
    return {
        "frames": frames,
        "stems": stems,
        "jobs": [row["job_key"] for row in jobs],
        "products": [row["product_id"] for row in products],
    }


def addresses(secrets: dict[str, list[str]]) -> list[str]:
    return [
        *(
            f"{path}?product={one}&pdfs=false&content=everything"
            for one in secrets["products"]
            for path in ("/downloads", "/api/downloads", "/api/downloads/archive.tar")
        ),
        *(f"/{root}frames/{one}" for one in secrets["frames"] for root in ("", "api/")),
        *(
            f"{root}/{one}{rest}"
            for one in secrets["jobs"]
            for root, rest in (
                ("/reductions", ""),
                ("/reductions", "/log"),
                ("/reductions", "/product"),
                ("/api/reductions", ""),
            )
        ),
        *(
            f"{root}/{one}{rest}"
            for one in secrets["products"]
            for root, rest in (
                ("/products", ""),
                ("/products", "/file"),
                ("/products", "/sparkline.svg"),
                ("/api/products", ""),
                ("/api/products", "/fibres"),
                ("/api/products", "/spectra/1"),
                ("/api/products", "/spectra/1.fits"),
                ("/api/products", "/spectra/1.vot"),
                ("/api/products", "/spectra.pdf"),
                ("/products", "/spectra.pdf"),
                ("/api/products", "/spectra/1/arrays"),
                ("/api/products", "/plate"),
                ("/api/products", "/figures"),
            )
        ),
    ]


async def seen_of(client: httpx.AsyncClient, house: House) -> list[tuple[str, str]]:
    """All that somebody can come to by lists and links, as text."""
    found = []
    todo, done, source = list(LISTS), set(), {}
    while todo:
        address = todo.pop()
        if address in done:
            continue
        done.add(address)
        answer = await client.get(address)
        assert answer.status_code in (200, 303, 503), (address, source.get(address))
        if "/file" not in address:  # the header of a product names the calibrations it was made with
            found.append((address, answer.text))
        for link in re.findall(
            r'href="(/(?:frames|products|reductions|nights|log|archive/field|explorer)[^"#]*)"', answer.text
        ):
            todo.append(link.replace("&amp;", "&"))
            source.setdefault(todo[-1], address)
        for kind, key in (("frames", "frame_id"), ("products", "product_id"), ("reductions", "job_key")):
            if address.startswith(f"/api/{kind}?"):
                todo += [f"/api/{kind}/{item[key]}" for item in answer.json()["items"]]
    return found


async def test_other_peoples_data_do_not_exist(house: House) -> None:
    secrets = await secrets_of(house, MY_FIELD)
    assert min(len(part) for part in secrets.values()) >= 3
    nothing = {
        "frames": ["20260312-12mar10099-000000000000"],
        "jobs": ["0" * 64],
        "products": ["00000000000000000000-object"],
        "stems": [],
    }
    for client in (house.browser(), await house.person("lea")):
        for address in addresses(secrets):
            found = await client.get(address)
            assert found.status_code == 404, address
            own = next(one for part in secrets.values() for one in part if one in address)
            kind = next(kind for kind, part in secrets.items() if own in part)
            like = address.replace(own, nothing[kind][0])
            other = await client.get(like)
            # Byte for byte what is said of something that never was.
            assert found.text.replace(own, "X") == other.text.replace(nothing[kind][0], "X"), address
            assert found.headers.keys() == other.headers.keys()


@pytest.mark.parametrize("name", ["", "lea"])
async def test_nothing_on_any_page_tells_of_other_peoples_data(house: House, name: str) -> None:
    client = await house.person(name) if name else house.browser()
    secrets = await secrets_of(house, MY_FIELD)
    if not name:
        theirs = await secrets_of(house, THEIR_FIELD)
        secrets = {kind: secrets[kind] + theirs[kind] for kind in secrets}
    words = [MY_FIELD, MINE, *(one for part in secrets.values() for one in part)]
    pages = await seen_of(client, house)
    assert len(pages) > (40 if name else 10)
    for address, text in pages:
        told = [word for word in words if word in text]
        assert told == [], (address, told[:5])
        assert "12mar20016.fits" not in text, "a rejected file is nobody's"


async def test_counts_are_of_what_is_seen(house: House) -> None:
    lea, root, visitor = await house.person("lea"), await house.person("root"), house.browser()

    async def total(client: httpx.AsyncClient, what: str) -> int:
        return int((await client.get(f"/api/{what}")).json()["total"])

    detectors = await house.pool.fetchval("SELECT count(*) FROM frame WHERE owner = '*'")
    theirs = len(house.frames_of(THEIR_FIELD))
    assert await total(root, "frames") == len(house.rows.frames) == 30
    assert await total(lea, "frames") == theirs + detectors
    assert (
        await total(visitor, "frames")
        == await total(visitor, "nights")
        == await total(visitor, "products")
        == 0
    )
    night = (await lea.get("/api/nights")).json()["items"][0]
    assert (night["frames"], night["rejected"]) == (theirs + detectors, 0)
    assert (await root.get("/api/nights")).json()["items"][0]["rejected"] == 1
    assert (await lea.get("/api/status")).json()["seq"] == 0, "numbers of events count what others do"
    assert (await lea.get("/api/frames?q=FLD195")).json()["total"] == 0
    assert f"{theirs + detectors}</b> frames" in (await lea.get("/")).text


async def test_everything_is_public_after_the_period(house: House) -> None:
    visitor = house.browser()
    house.clock.now += timedelta(days=547)
    assert (await visitor.get("/api/frames")).json()["total"] == 0
    house.clock.now += timedelta(days=3)
    assert (await visitor.get("/api/frames")).json()["total"] == 30


async def test_period_of_a_proposal_can_be_changed(house: House) -> None:
    root, visitor = await house.person("root"), house.browser()
    page = f"/people/group?proposal={THEIRS}"
    form = {"proposal": THEIRS, "change": "period"}
    await send(root, "/people/group", page, **form, months="0", **{"from": "2026-03-13"})
    assert (await visitor.get("/api/frames")).json()["total"] == 0, "observed the day before"
    await send(root, "/people/group", page, **form, months="0", **{"from": "2026-03-01"})
    assert (await visitor.get("/api/frames")).json()["total"] == len(house.frames_of(THEIR_FIELD))
    await send(root, "/people/group", page, **form, months="never", **{"from": "2026-03-12"})
    house.clock.now += timedelta(days=36_500)
    assert {item["field"] for item in (await visitor.get("/api/frames?limit=100")).json()["items"]} == {
        MY_FIELD,
        "",
    }


async def test_member_who_leaves_sees_nothing_more(house: House) -> None:
    lea, root = await house.person("lea"), await house.person("root")
    frame = house.frames_of(THEIR_FIELD)[0].frame_id
    assert (await lea.get(f"/frames/{frame}")).status_code == 200
    page = f"/people/group?proposal={THEIRS}"
    await send(root, "/people/group", page, proposal=THEIRS, change="drop", name="lea")
    assert (await lea.get(f"/frames/{frame}")).status_code == 404


async def test_browser_may_not_show_again_what_it_kept(house: House) -> None:
    lea = await house.person("lea")
    (product,) = (await lea.get(f"/api/products?field={THEIR_FIELD}&limit=1&spectra=true")).json()["items"]
    address = f"/products/{product['product_id']}/sparkline.svg"
    found = await lea.get(address)
    assert found.headers["cache-control"] == "private, no-cache"
    assert (await lea.get(address, headers={"If-None-Match": found.headers["etag"]})).status_code == 304
    visitor = house.browser()
    again = await visitor.get(address, headers={"If-None-Match": found.headers["etag"]})
    assert again.status_code == 404


async def test_figures_are_for_administrators(house: House) -> None:
    lea, root = await house.person("lea"), await house.person("root")
    for client in (house.browser(), lea):
        found = await client.get("/metrics")
        assert found.status_code == 403
        assert "paws_frames" not in found.text
        assert all(
            part["detail"] in ("is well", "is not well")
            for part in (await client.get("/healthz")).json()["parts"]
        )
    assert 'paws_frames{state="reduced"}' in (await root.get("/metrics")).text


async def test_hidden_frames_take_their_names_out_of_decisions(house: House) -> None:
    lea = await house.person("lea")
    frame = next(one for one in house.frames_of(THEIR_FIELD) if one.run == 12)
    whole: Any = await house.pool.fetchval(
        "SELECT decision FROM frame_plan WHERE frame_id = $1", frame.frame_id
    )
    assert "12mar10005" in str(whole)
    told = (await lea.get(f"/api/frames/{frame.frame_id}")).json()["decision"]
    assert "12mar10005" not in str(told)
    by_role = {choice["role"]: choice for choice in told["choices"]}
    assert by_role["tlm"]["level"] == 1
    assert by_role["tlm"]["product"] is None
    assert by_role["tlm"]["refused"] == []
    assert (
        by_role["arc"]["source_frame_ids"] == [choice["source_frame_ids"] for choice in whole["choices"]][1]
    )
