"""The validators of the field say nothing against the services: taplint, datalinklint, votlint of STILTS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from paws.database import connect, migrate
from paws.errors import ConfigurationError
from paws.settings import Settings
from paws.vo.geometry import backend_of
from tests.support.postgres import DatabaseServer, run_sql
from tests.support.stilts import needs_stilts, stilts
from tests.vo.conftest import DATABASE
from tests.web.conftest import Site, serving

WARNINGS = 15
"""Fewer than these, with which GAVO DaCHS passes."""

pytestmark = needs_stilts


@pytest.fixture
async def with_pgsphere(vo_site: Site, database_server: DatabaseServer) -> AsyncIterator[Settings]:
    """The same night in a database that searches positions with pgSphere."""
    name = "vo_night_pgsphere"
    await run_sql(database_server, f"CREATE DATABASE {name} TEMPLATE {DATABASE}")
    settings = vo_site.settings.model_copy(
        update={"database_url": SecretStr(database_server.url(name)), "tap_geometry": "pgsphere"}
    )
    try:
        connection = await connect(settings)
        try:
            await migrate(connection, "pgsphere")
            assert await backend_of(connection, settings) == "pgsphere"
        except ConfigurationError as error:
            pytest.skip(f"pgSphere is not installed: {error}")
        finally:
            await connection.close()
        yield settings
    finally:
        await run_sql(database_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
async def test_taplint_finds_no_fault(vo_site: Site) -> None:
    await assert_clean(vo_site.settings)


@pytest.mark.slow
async def test_taplint_finds_no_fault_with_pgsphere(with_pgsphere: Settings) -> None:
    await assert_clean(with_pgsphere)


async def assert_clean(settings: Settings) -> None:
    """Neither errors nor failures, and few warnings; ObsLocTAP, which is for plans of telescopes, is not offered."""
    async with serving(settings) as (host, _app):
        status, output = await stilts(
            "taplint", f"tapurl=http://{host}/tap", "format=json", "report=EWF", "maxtable=40"
        )
    assert status == 0, output
    found = [
        (section["code"], report["level"], report["code"], report.get("text", ""))
        for section in json.loads(output)["sections"]
        for report in section["reports"]
    ]
    told = "\n".join(" ".join(one) for one in found)
    levels = Counter(level for stage, level, _code, _text in found if stage != "LOC")
    assert levels["ERROR"] == levels["FAILURE"] == 0, told
    assert levels["WARNING"] < WARNINGS, told


async def test_datalinklint_finds_no_fault(vo_site: Site) -> None:
    async with serving(vo_site.settings) as (host, _app):
        async with httpx.AsyncClient() as client:
            question = {
                "LANG": "ADQL",
                "QUERY": "SELECT TOP 1 obs_publisher_did FROM ivoa.obscore",
                "FORMAT": "csv",
            }
            answer = await client.post(f"http://{host}/tap/sync", data=question)
        did = answer.text.splitlines()[1].strip('"')
        url = str(httpx.URL(f"http://{host}/datalink/links", params={"ID": did}))
        status, output = await stilts("datalinklint", f"votable={url}")
    assert status == 0, output
    assert "ERROR" not in output, output
    assert "WARNING" not in output, output


@pytest.mark.parametrize(
    "path",
    [
        "/tap/sync?LANG=ADQL&QUERY=SELECT+TOP+20+*+FROM+ivoa.obscore",
        "/tap/sync?LANG=ADQL&QUERY=SELECT+TOP+20+*+FROM+ivoa.obscore&RESPONSEFORMAT=votable/b2",
        "/ssa?REQUEST=queryData&MAXREC=20&FORMAT=all",
        "/ssa?REQUEST=queryData&FORMAT=METADATA",
    ],
)
async def test_votlint_finds_no_fault(vo_site: Site, tmp_path: Path, path: str) -> None:
    async with serving(vo_site.settings) as (host, _app), httpx.AsyncClient() as client:
        answer = await client.get(f"http://{host}{path}")
    assert answer.status_code == 200, answer.text[:2000]
    file = tmp_path / "answer.vot"
    file.write_bytes(answer.content)
    status, output = await stilts("votlint", f"votable={file}", "version=1.4")
    assert (status, output.strip()) == (0, "")
