"""Programs that sign in find their own spectra by every service; others find what strangers find."""

from __future__ import annotations

from io import BytesIO

from astropy.io import votable

from tests.support.people import MY_FIELD, THEIR_FIELD, House
from tests.vo.conftest import as_program


async def product_of(vo: House, field: str) -> str:
    return await vo.pool.fetchval(
        "SELECT product_id FROM product JOIN spectrum USING (product_id) WHERE field = $1 AND current LIMIT 1",
        field,
    )


def rows(answer) -> int:
    return len(votable.parse_single_table(BytesIO(answer.content), verify="ignore").array)


async def test_by_name_and_password(vo: House) -> None:
    mine, theirs = await product_of(vo, MY_FIELD), await product_of(vo, THEIR_FIELD)
    everywhere = {"RA": "0", "DEC": "-30", "SR": "180"}
    for name, own, other in (("mia", mine, theirs), ("theo", theirs, mine)):
        client = as_program(vo, name)
        for product, status in ((own, 200), (other, 404)):
            assert (await client.get(f"/vo/spectra/{product}/1.vot")).status_code == status
            did = f"ivo://paws.local/spectra?{product}/1"
            assert (await client.get("/soda/sync", params={"ID": did})).status_code == status
            links = await client.get("/datalink/links", params={"ID": did})
            assert (b"NotFoundFault" in links.content) is (status == 404)
            found = await client.get("/ssa", params={"REQUEST": "queryData", "PUBDID": did})
            assert rows(found) == (1 if status == 200 else 0)
        assert rows(await client.get("/scs", params=everywhere)) > 0
    assert rows(await as_program(vo).get("/scs", params=everywhere)) == 0


async def test_a_wrong_password_is_refused_and_not_taken_for_a_stranger(vo: House) -> None:
    client = vo.browser(Authorization="Basic bWlhOndyb25n")
    answer = await client.get("/ssa", params={"REQUEST": "queryData"})
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]


async def test_the_registry_tells_everybody_the_same(vo: House) -> None:
    answers = [await client.get("/registry.xml") for client in (as_program(vo), await vo.person("root"))]
    assert answers[0].content == answers[1].content
    assert b"user_" not in answers[0].content


async def test_pages_of_other_sites_may_read_what_strangers_read(vo: House) -> None:
    for path in ("/ssa?REQUEST=queryData", "/datalink/links", "/oai?verb=Identify", "/ssa/capabilities"):
        headers = (await as_program(vo).get(path)).headers
        assert headers["access-control-allow-origin"] == "*", path
        assert "access-control-allow-credentials" not in headers
