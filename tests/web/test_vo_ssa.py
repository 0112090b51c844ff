"""Spectral access: spectra by position, wavelength, time and name."""

from __future__ import annotations

from io import BytesIO

import pytest
from astropy.io import votable

from tests.support.people import MY_FIELD, THEIR_FIELD
from tests.support.stilts import needs_stilts, stilts


def parsed(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-votable+xml")
    return votable.parse(BytesIO(answer.content), verify="exception")


def infos(answer):
    return [(info.name, info.value) for info in parsed(answer).resources[0].infos]


def rows_of(answer):
    document = parsed(answer)
    assert ("QUERY_STATUS", "OK") in infos(answer), answer.text
    assert ("SERVICE_PROTOCOL", "1.1") in infos(answer)
    table = document.get_first_table()
    names = [field.name for field in table.fields]
    return [{name: table.array[name][number] for name in names} for number in range(len(table.array))]


async def ask(client, **parameters):
    return await client.get("/ssa", params={"REQUEST": "queryData", **parameters})


async def test_a_cone_finds_what_lies_in_it_and_nothing_else(client, site):
    everything = rows_of(await ask(client))
    one = next(row for row in everything if row["ssa_targname"])
    ra, dec = one["ra"], one["dec"]
    found = rows_of(await ask(client, POS=f"{ra},{dec}", SIZE="0.002"))
    assert found
    assert {(row["ra"], row["dec"]) for row in found} == {(ra, dec)}
    assert rows_of(await ask(client, POS=f"{(ra + 180) % 360},{-dec}", SIZE="1")) == []
    assert len(rows_of(await ask(client, POS=f"{ra},{dec};ICRS", SIZE="180"))) > len(found)


async def test_each_row_leads_to_its_spectrum(client, site):
    row = rows_of(await ask(client, MAXREC="1"))[0]
    answer = await client.get(row["accref"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == row["mime"]
    table = votable.parse_single_table(BytesIO(answer.content))
    assert len(table.array) >= row["ssa_length"] - 1
    assert abs(row["accsize"] - len(answer.content) / 1000) < 0.5 * row["accsize"]


@pytest.mark.parametrize(
    ("band", "arms"),
    [
        ("4e-7/5e-7", {"blue"}),
        ("/5e-7", {"blue"}),
        ("7e-7/", {"red"}),
        ("8e-7", {"red"}),
        ("4e-7,8e-7", {"blue", "red"}),
        ("blue", {"blue"}),
        ("1e-6/2e-6", set()),
    ],
)
async def test_bands(client, site, band, arms):
    found = {str(row["arm"]) for row in rows_of(await ask(client, BAND=band)) if str(row["arm"])}
    assert found == arms


async def test_times_names_and_figures(client, site):
    everything = rows_of(await ask(client))
    assert len(rows_of(await ask(client, TIME="2026-03"))) == len(everything)
    assert rows_of(await ask(client, TIME="2025")) == []
    assert rows_of(await ask(client, TIME="2026-03-13/")) == []
    name = str(everything[0]["ssa_targname"])
    assert {str(row["ssa_targname"]) for row in rows_of(await ask(client, TARGETNAME=name))} == {name}
    assert rows_of(await ask(client, TARGETNAME="x' OR '1'='1")) == []
    best = max(float(row["ssa_snr"]) for row in everything if row["ssa_snr"])
    good = rows_of(await ask(client, SNR=f"{best - 1e-3}/"))
    assert 1 <= len(good) < len(everything)
    did = str(everything[3]["ssa_pubdid"])
    assert [str(row["ssa_pubdid"]) for row in rows_of(await ask(client, PUBDID=did))] == [did]


async def test_formats_have_a_row_each(client, site):
    did = str(rows_of(await ask(client, MAXREC="1"))[0]["ssa_pubdid"])
    kinds = {
        "all": {"application/x-votable+xml", "application/fits"},
        "fits": {"application/fits"},
        "graphic": {"image/png"},
        "application/zip": set(),
        "votable,image/png": {"application/x-votable+xml", "image/png"},
    }
    for name, expected in kinds.items():
        rows = rows_of(await ask(client, PUBDID=did, FORMAT=name))
        assert {str(row["mime"]) for row in rows} == expected
        assert len(rows) == len(expected)


async def test_limits_are_kept_and_told(client, site):
    answer = await ask(client, MAXREC="3", FORMAT="all")
    assert len(rows_of(answer)) == 3
    assert ("QUERY_STATUS", "OVERFLOW") in [
        (i.name, i.value) for i in parsed(answer).resources[0].tables[0].infos
    ] + infos(answer)
    assert len(rows_of(await ask(client, TOP="2"))) == 2


async def test_the_service_describes_itself(client):
    document = parsed(await ask(client, FORMAT="METADATA"))
    names = {param.name for param in document.resources[0].params}
    assert {"INPUT:POS", "INPUT:SIZE", "INPUT:BAND", "INPUT:TIME", "INPUT:FORMAT"} <= names
    table = document.get_first_table()
    assert len(table.array) == 0
    utypes = {field.utype for field in table.fields}
    mandatory = (
        "Access.Reference",
        "Access.Format",
        "DataID.Title",
        "Curation.PublisherDID",
        "Dataset.Length",
    )
    assert {f"ssa:{name}" for name in mandatory} <= utypes


@needs_stilts
async def test_the_validator_of_votables_finds_nothing(client, site, tmp_path):
    document = tmp_path / "spectrum.vot"
    document.write_bytes((await client.get(f"/vo/spectra/{site.product()}/1.vot")).content)
    status, output = await stilts("votlint", f"votable={document}")
    assert (status, output.strip()) == (0, "")


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"REQUEST": "drop"}, "REQUEST"),
        ({"POS": "north"}, "POS"),
        ({"POS": "1,2,3"}, "POS"),
        ({"POS": "1,95"}, "POS"),
        ({"POS": "1,2;GALACTIC"}, "ICRS"),
        ({"POS": "1,2", "SIZE": "-1"}, "SIZE"),
        ({"BAND": "5e-7/4e-7"}, "BAND"),
        ({"BAND": "V"}, "BAND"),
        ({"TIME": "yesterday"}, "TIME"),
        ({"TIME": "2026-02-30"}, "TIME"),
        ({"SNR": "1e999"}, "SNR"),
        ({"MAXREC": "-1"}, "MAXREC"),
        ({"VERSION": "2.0"}, "VERSION"),
        ({"TARGETNAME": ",".join("abc" for _ in range(101))}, "TARGETNAME"),
    ],
)
async def test_mistakes_are_told_in_a_votable(client, parameters, told):
    answer = await ask(client, **parameters)
    (status,) = [info for info in parsed(answer).resources[0].infos if info.name == "QUERY_STATUS"]
    assert status.value == "ERROR"
    assert told in (status.content or "")


async def test_parameters_nobody_knows_are_ignored(client, site):
    assert rows_of(await ask(client, MAXREC="1", CUTLERY="spoon"))
    posted = await client.post("/ssa", data={"request": "QUERYDATA", "maxrec": "1"})
    assert len(rows_of(posted)) == 1


async def cone(client, **parameters):
    answer = await client.get("/scs", params=parameters)
    assert answer.status_code == 200, answer.text
    # UCDs of the first kind, which this standard wants, are mistakes everywhere else.
    document = votable.parse(BytesIO(answer.content), verify="ignore")
    tables = list(document.iter_tables())
    return document, tables[0] if tables else None


async def test_the_cone_search_finds_the_same(client, site):
    row = rows_of(await ask(client))[0]
    place = {"RA": row["ra"], "DEC": row["dec"]}
    _document, table = await cone(client, **place, SR="0.001", VERB="3")
    expected = rows_of(await ask(client, POS=f"{row['ra']},{row['dec']}", SIZE="0.002"))
    assert sorted(table.array["ssa_pubdid"]) == sorted(str(one["ssa_pubdid"]) for one in expected)
    assert [field.name for field in table.fields if field.ucd == "ID_MAIN"] == ["ssa_pubdid"]
    assert (await client.get(table.array["accref"][0])).status_code == 200
    sizes = [len((await cone(client, **place, SR="1", VERB=verb))[1].fields) for verb in ("1", "2", "3")]
    assert sizes == sorted(set(sizes))
    for empty in ({"SR": "0"}, {"SR": "1", "MAXREC": "0"}):
        assert len((await cone(client, **place, **empty))[1].array) == 0


@pytest.mark.parametrize(
    "parameters",
    [{}, {"RA": "1", "DEC": "2"}, {"RA": "1", "DEC": "91", "SR": "1"}, {"RA": "x", "DEC": "1", "SR": "1"},
     {"RA": "1", "DEC": "1", "SR": "181"}, {"RA": "1", "DEC": "1", "SR": "1", "VERB": "4"}],
)  # fmt: skip
async def test_mistakes_of_cone_searches_are_told_as_their_standard_has_it(client, parameters):
    document, table = await cone(client, **parameters)
    assert table is None
    assert {info.name for info in document.resources[0].infos} >= {"Error", "QUERY_STATUS"}


async def test_everybody_finds_their_own(house):
    def fields(rows):
        return {str(row["ssa_dstitle"]).split(" ")[2] for row in rows}

    assert fields(rows_of(await ask(await house.person("mia")))) == {MY_FIELD}
    assert fields(rows_of(await ask(await house.person("theo")))) == {THEIR_FIELD}
    assert fields(rows_of(await ask(await house.person("root")))) == {MY_FIELD, THEIR_FIELD}
    assert rows_of(await ask(house.browser())) == []
    everywhere = {"RA": "0", "DEC": "-30", "SR": "180"}
    assert len((await cone(await house.person("mia"), **everywhere))[1].array) > 0
    assert len((await cone(house.browser(), **everywhere))[1].array) == 0
