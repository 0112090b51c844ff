"""Markup, quotes and strange letters in what headers say: documents stay documents."""

from __future__ import annotations

from io import BytesIO

import asyncpg
from astropy.io import fits, votable
from PIL import Image

from tests.support.night_plan import HOSTILE
from tests.web.conftest import Site, running

NAME = "\"'<&>\x01\u661f\x1b]]>" + HOSTILE


async def test_whatever_a_target_is_called_its_files_can_be_read(hostile_site: Site):
    product = hostile_site.product()
    connection = await asyncpg.connect(hostile_site.settings.require_database())
    try:
        await connection.execute(
            "UPDATE spectrum SET target_name = $2 WHERE product_id = $1 AND fibre = 1", product, NAME
        )
        await connection.execute(
            "UPDATE product SET field = $2, grating = $3 WHERE product_id = $1", product, NAME, HOSTILE
        )
    finally:
        await connection.close()
    did = f"ivo://paws.local/spectra?{product}/1"
    async with running(hostile_site.settings) as (_app, client):
        for suffix in ("fits", "vot", "png"):
            answer = await client.get(f"/vo/spectra/{product}/1.{suffix}")
            assert answer.status_code == 200
            stream = BytesIO(answer.content)
            if suffix == "fits":
                with fits.open(stream, checksum=True) as hdus:
                    hdus.verify("exception")
                    assert hdus["SPECTRUM"].header["OBJECT"].startswith("\"'<&>?")
            elif suffix == "vot":
                document = votable.parse(stream, verify="exception")
                (said,) = [
                    one.value for one in document.resources[0].params if one.utype == "spec:Target.Name"
                ]
                assert str(said).startswith("\"'<&>\ufffd\u661f")
            else:
                assert Image.open(stream).size == (720, 320)
        links = await client.get("/datalink/links", params={"ID": [did, NAME]})
        table = votable.parse_single_table(BytesIO(links.content), verify="exception")
        assert {str(one) for one in table.array["semantics"]} >= {"#this", "#cutout"}
        found = await client.get("/ssa", params={"REQUEST": "queryData", "PUBDID": did})
        assert len(votable.parse_single_table(BytesIO(found.content), verify="exception").array) == 1
