"""Links: everything that belongs to a spectrum, for those who may see it."""

from __future__ import annotations

from io import BytesIO

import pytest
from astropy.io import votable

from tests.support.people import MINE, MY_FIELD, THEIR_FIELD
from tests.support.stilts import needs_stilts, stilts

STANDARD = "ivo://ivoa.net/std/DataLink#links-1.1"
ONE_OF = ("access_url", "service_def", "error_message")


def did(product_id: str, fibre: int | None = 1) -> str:
    return f"ivo://paws.local/spectra?{product_id}" + (f"/{fibre}" if fibre else "")


def parsed(answer):
    assert answer.status_code == 200, answer.text
    return votable.parse(BytesIO(answer.content), verify="exception")


def rows_of(answer):
    table = parsed(answer).get_first_table()
    names = [field.name for field in table.fields]
    rows = [
        {
            name: str(value) if str(value) not in ("--", "") else None
            for name, value in zip(names, row, strict=True)
        }
        for row in table.array
    ]
    for row in rows:
        assert sum(row[name] is not None for name in ONE_OF) == 1, row
        assert row["semantics"].startswith("#")
    return rows


async def links(client, *idents, **more):
    return await client.get("/datalink/links", params={"ID": list(idents), **more})


async def test_links_of_a_spectrum(client, site):
    answer = await links(client, did(site.product()))
    assert answer.headers["content-type"] == "application/x-votable+xml;content=datalink"
    infos = {info.name: info.value for info in parsed(answer).resources[0].infos}
    assert infos["standardID"] == STANDARD
    rows = rows_of(answer)
    by_meaning: dict[str, list] = {}
    for row in rows:
        by_meaning.setdefault(row["semantics"], []).append(row)
        by_meaning.setdefault(row["local_semantics"], []).append(row)
    assert {row["content_type"] for row in by_meaning["#this"]} == {
        "application/fits",
        "application/x-votable+xml",
    }
    assert [row["content_type"] for row in by_meaning["#preview"]] == ["image/png"]
    assert [row["service_def"] for row in by_meaning["#cutout"]] == ["cutout_1"]
    assert any(site.frame().split("-")[-1][:6] in row["access_url"] for row in by_meaning["#progenitor"])
    assert any("/file" in row["access_url"] for row in by_meaning["product"])
    assert any("spliced combined" in row["description"] for row in by_meaning["#derivation"])
    assert any("other arm" in row["description"] for row in by_meaning["counterpart"])
    assert by_meaning["documentation"]


@needs_stilts
async def test_the_validator_finds_nothing(client, site, tmp_path):
    document = tmp_path / "links.vot"
    document.write_bytes(
        (await links(client, did(site.product()), did("nothing"), did(site.product(), None))).content
    )
    _status, output = await stilts("datalinklint", f"votable={document}")
    assert "Errors: 0; Warnings: 0;" in output, output


async def test_every_link_to_data_leads_somewhere(client, site):
    for row in rows_of(await links(client, did(site.product()))):
        if row["access_url"] is None or "/vo/frames/" in row["access_url"]:
            continue
        answer = await client.get(row["access_url"])
        assert answer.status_code == 200, row
        assert answer.headers["content-type"].startswith(row["content_type"]), row
        if row["content_length"] not in (None, "0"):
            assert len(answer.content) == int(row["content_length"])


async def test_the_cutout_works_as_its_descriptor_says(client, site):
    document = parsed(await links(client, did(site.product())))
    (service,) = [one for one in document.resources if one.utype == "adhoc:service"]
    params = {param.name: param.value for param in service.params}
    assert params["standardID"] == "ivo://ivoa.net/std/SODA#sync-1.0"
    inputs = {param.name: param for group in service.groups for param in group.entries}
    low, high = (float(part) for part in (inputs["BAND"].values.min, inputs["BAND"].values.max))
    assert 3.7e-7 < low < high < 5.9e-7
    middle = (low + high) / 2
    answer = await client.get(
        params["accessURL"], params={"ID": inputs["ID"].value, "BAND": f"{low} {middle}"}
    )
    assert answer.status_code == 200


async def test_several_identifiers_by_get_and_post_each_told_of_its_own(client, site):
    idents = [did(site.product()), did("nothing"), "https://example.org/<&>", did(site.product(), 2)]
    answer = await links(client, *idents)
    rows = rows_of(answer)
    assert list(dict.fromkeys(row["ID"] for row in rows)) == idents
    errors = {row["ID"]: row["error_message"] for row in rows if row["error_message"]}
    assert errors[did("nothing")].startswith("NotFoundFault: ")
    assert errors["https://example.org/<&>"].startswith("UsageFault: ")
    assert len(errors) == 2
    sent = await client.post("/datalink/links", data={"id": idents})
    assert rows_of(sent) == rows


async def test_a_whole_product_has_links_too(client, site):
    rows = rows_of(await links(client, did(site.product(), None)))
    (this,) = [row for row in rows if row["semantics"] == "#this"]
    assert this["access_url"].endswith(f"/products/{site.product()}/file")
    assert not any(row["service_def"] for row in rows)


async def test_nothing_asked_for_is_answered_with_no_rows(client):
    assert rows_of(await client.get("/datalink/links")) == []


async def test_formats_and_limits(client, site):
    csv = await links(client, did(site.product()), RESPONSEFORMAT="csv")
    assert csv.text.splitlines()[0].startswith("ID,access_url,service_def")
    cut = await links(client, did(site.product()), MAXREC="2")
    assert len(rows_of(cut)) == 2
    assert b'value="OVERFLOW"' in cut.content
    assert (await links(client, did(site.product()), RESPONSEFORMAT="application/zip")).status_code == 400
    assert (await links(client, did(site.product()), MAXREC="many")).status_code == 400
    assert (await links(client, *(did("p", fibre) for fibre in range(1, 202)))).status_code == 400


# ---- Who sees what ------------------------------------------------------------------------------------------


async def product_of(house, field):
    return await house.pool.fetchval(
        "SELECT product_id FROM product WHERE field = $1 AND kind = 'object' AND current ORDER BY product_id LIMIT 1",
        field,
    )


async def test_what_is_not_ones_own_is_not_found_and_nothing_else_is_told(house):
    mine, theirs = await product_of(house, MY_FIELD), await product_of(house, THEIR_FIELD)
    mia = await house.person("mia")
    rows = rows_of(await links(mia, did(mine), did(theirs), did("nothing")))
    assert [row["error_message"] for row in rows if row["ID"] == did(theirs)] == [
        row["error_message"] for row in rows if row["ID"] == did("nothing")
    ]
    own = [row for row in rows if row["ID"] == did(mine)]
    assert own
    assert all(row["error_message"] is None for row in own)
    assert theirs not in str(rows).replace(did(theirs), "")
    for client in (house.browser(), await house.person("theo")):
        (row,) = rows_of(await links(client, did(mine)))
        assert row["error_message"].startswith("NotFoundFault")


@pytest.mark.parametrize("path", ["/vo/spectra/{}/1.fits", "/vo/spectra/{}/1.png", "/soda/sync?ID={did}"])
async def test_spectra_are_for_those_who_may_see_them(house, path):
    mine = await product_of(house, MY_FIELD)
    address = path.format(mine, did=did(mine).replace("?", "%3F"))
    other = path.format("nothing", did=did("nothing").replace("?", "%3F"))
    stranger, theo, mia = house.browser(), await house.person("theo"), await house.person("mia")
    for client in (stranger, theo):
        hidden, missing = await client.get(address), await client.get(other)
        assert (hidden.status_code, hidden.content) == (404, missing.content)
    shown = await mia.get(address)
    assert shown.status_code == 200
    # A tag that somebody saw before does not tell others that the spectrum is there.
    assert (await theo.get(address, headers={"If-None-Match": shown.headers["etag"]})).status_code == 404


async def test_raw_frames_are_for_those_who_may_see_them(house, tmp_path):
    row = await house.pool.fetchrow(
        "SELECT frame_id FROM frame WHERE proposal = $1 AND frame_class = 'MFOBJECT' LIMIT 1", MINE
    )
    content = b"SIMPLE  =                    T".ljust(2880)
    raw = tmp_path / "raw.fits"
    raw.write_bytes(content)
    await house.pool.execute(
        "UPDATE frame SET path = $2, size_bytes = $3, mtime_ns = 0 WHERE frame_id = $1",
        *(row["frame_id"], str(raw), len(content)),
    )
    address = f"/vo/frames/{row['frame_id'].replace('/', '%2F')}/file"
    assert (await (await house.person("mia")).get(address)).content == content
    assert (await (await house.person("theo")).get(address)).status_code == 404
    assert (await house.browser().get(address)).status_code == 404
    raw.unlink()
    gone = await (await house.person("mia")).get(address)
    assert gone.status_code == 404
    assert str(tmp_path) not in gone.text
