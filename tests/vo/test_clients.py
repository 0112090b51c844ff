"""The programs that astronomers use, unchanged, at the real server: pyvo, astroquery, STILTS."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pyvo
from astropy.table import Table

from tests.support.stilts import needs_stilts, stilts
from tests.web.conftest import Site, serving

T = TypeVar("T")
DEADLINE = 180.0
SPECTRA = "SELECT TOP 5 obs_publisher_did, access_url, access_format, s_ra, s_dec FROM ivoa.obscore"


@pytest.fixture
async def address(vo_site: Site) -> AsyncIterator[str]:
    """Address of a server that is open to its own machine."""
    async with serving(vo_site.settings) as (host, _app):
        yield f"http://{host}"


async def apart(work: Callable[[], T]) -> T:
    """Run a program's blocking calls beside the server, with a deadline."""

    def quietly() -> T:
        with warnings.catch_warnings():
            # What these libraries warn of is theirs; what matters is asserted.
            warnings.simplefilter("ignore")
            return work()

    return await asyncio.wait_for(asyncio.to_thread(quietly), DEADLINE)


def positions() -> Table:
    table = Table({"name": ["a", "b"], "ra": [10.0, 200.0], "dec": [-30.0, 5.0]})
    table["ra"].unit = table["dec"].unit = "deg"
    return table


async def test_pyvo_asks_at_once_and_reads_what_there_is(address: str) -> None:
    def work() -> Any:
        service = pyvo.dal.TAPService(f"{address}/tap")
        result = service.search(SPECTRA)
        capable = service.get_tap_capability()
        geometry = capable.get_adql().get_feature_list("ivo://ivoa.net/std/TAPRegExt#features-adqlgeo")
        return result, set(service.tables.keys()), {feature.form for feature in geometry}

    result, tables, geometry = await apart(work)
    assert len(result) == 5
    assert result.fieldnames == ("obs_publisher_did", "access_url", "access_format", "s_ra", "s_dec")
    assert {"ivoa.obscore", "TAP_SCHEMA.tables", "paws.spectra"} <= tables
    assert {"CONTAINS", "POINT"} <= geometry


async def test_pyvo_runs_a_job(address: str) -> None:
    def work() -> Any:
        job = pyvo.dal.TAPService(f"{address}/tap").submit_job("SELECT COUNT(*) AS n FROM ivoa.obscore")
        job.run()
        job.wait(phases=["COMPLETED", "ERROR", "ABORTED"], timeout=120)
        job.raise_if_error()
        count = job.fetch_result()["n"][0]
        phase = job.phase
        job.delete()
        return count, phase

    count, phase = await apart(work)
    assert phase == "COMPLETED"
    assert count > 0


async def test_pyvo_is_told_what_is_wrong_with_a_query(address: str) -> None:
    def work() -> Any:
        pyvo.dal.TAPService(f"{address}/tap").search("SELECT s_raa FROM ivoa.obscore")

    with pytest.raises(pyvo.dal.DALQueryError, match="s_ra"):
        await apart(work)


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_pyvo_uploads_a_table(address: str, how: str) -> None:
    def work() -> Any:
        service = pyvo.dal.TAPService(f"{address}/tap")
        ask = service.run_sync if how == "sync" else service.run_async
        return ask("SELECT name, ra FROM TAP_UPLOAD.mine ORDER BY ra", uploads={"mine": positions()})

    result = await apart(work)
    assert [str(name) for name in result["name"]] == ["a", "b"]
    assert list(result["ra"]) == [10.0, 200.0]


async def test_pyvo_follows_the_links_of_a_spectrum(address: str) -> None:
    def work() -> Any:
        result = pyvo.dal.TAPService(f"{address}/tap").search(SPECTRA)
        return [
            {(str(link.semantics), str(link.error_message or "")) for link in links}
            for links in result.iter_datalinks()
        ]

    links = await apart(work)
    assert len(links) == 5
    for one in links:
        assert "#this" in {semantics for semantics, _ in one}
        assert {error for _, error in one} == {""}


async def test_pyvo_finds_spectra_by_position(address: str) -> None:
    def work() -> Any:
        first = pyvo.dal.TAPService(f"{address}/tap").search(SPECTRA)[0]
        service = pyvo.dal.SSAService(f"{address}/ssa")
        found = service.search(pos=(first["s_ra"], first["s_dec"]), diameter=0.01)
        spectrum = Table.read(found[0].acref, format="votable")
        links = [{str(link.semantics) for link in one} for one in found.iter_datalinks()]
        return first, found, spectrum, links

    first, found, spectrum, links = await apart(work)
    assert first["obs_publisher_did"] in set(found.getcolumn("ssa_pubdid"))
    assert found[0].acref.startswith(f"{address}/vo/spectra/")
    assert found[0].title
    assert {"wavelength", "flux", "error"} <= set(spectrum.colnames)
    assert len(links) == len(found)
    assert all({"#this", "#preview", "#cutout", "#progenitor"} <= one for one in links)


async def test_pyvo_cuts_a_spectrum(address: str) -> None:
    def work() -> Any:
        service = pyvo.dal.SSAService(f"{address}/ssa")
        found = service.search(band=(4.5e-7, 4.6e-7), maxrec=1)
        links = next(found.iter_datalinks())
        cutout = next(links.bysemantics("#cutout", include_narrower=False))
        return Table.read(io.BytesIO(cutout.process(band=(4.5e-7, 4.6e-7)).read()), format="fits")

    part = await apart(work)
    assert 4500 <= part["wavelength"].min() < part["wavelength"].max() <= 4600


async def test_astroquery_asks(address: str) -> None:
    def work() -> Any:
        from astroquery.utils.tap.core import TapPlus

        tap = TapPlus(url=f"{address}/tap", verbose=False)
        names = {table.get_qualified_name() for table in tap.load_tables(verbose=False)}
        return names, tap.launch_job(SPECTRA).get_results(), tap.launch_job_async(SPECTRA).get_results()

    names, at_once, by_job = await apart(work)
    assert any(name.endswith("ivoa.obscore") for name in names)
    assert len(at_once) == len(by_job) == 5


@needs_stilts
@pytest.mark.parametrize("how", ["true", "false"])
async def test_stilts_asks_with_an_upload(address: str, tmp_path: Path, how: str) -> None:
    mine, out = tmp_path / "mine.xml", tmp_path / "out.csv"
    positions().write(mine, format="votable")
    query = "SELECT name, ra, dec FROM TAP_UPLOAD.mine ORDER BY ra"
    status, output = await stilts(
        *("tapquery", f"tapurl={address}/tap", f"sync={how}", "nupload=1", f"upload1={mine}"),
        *("upname1=mine", f"adql={query}", f"out={out}", "ofmt=csv"),
    )
    assert status == 0, output
    assert out.read_text().splitlines() == ["name,ra,dec", "a,10.0,-30.0", "b,200.0,5.0"]
