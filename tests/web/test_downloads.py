"""Downloads over the application: whole, in parts, resumed, by file, and what is missing."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pypdf
import pytest
from astropy.io import fits
from blake3 import blake3

from tests.support.night_plan import NIGHT
from tests.support.people import MY_FIELD
from tests.support.postgres import DatabaseServer
from tests.support.servers import closed
from tests.web.conftest import Site, running, serving, until
from tests.web.download_site import (
    FIELD,
    content_of,
    get,
    make_shelf,
    run_script,
    spoil,
    tar_of,
    write_raw_files,
)


@pytest.fixture(scope="module")
def shelf(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_shelf(database_server, tmp_path_factory.mktemp("downloads"), "web_downloads")


@pytest.fixture
async def client(shelf: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with running(shelf.settings) as (_app, found):
        yield found


async def test_field_as_tar_and_zip(client: httpx.AsyncClient, shelf: Site) -> None:
    found = await get(client, f"/api/downloads/archive.tar?{FIELD}")
    assert found.status_code == 200, found.text
    assert int(found.headers["content-length"]) == len(found.content)
    assert found.headers["accept-ranges"] == "bytes"
    folder = f"paws-{NIGHT}-{MY_FIELD}-reduced"
    assert found.headers["content-disposition"] == f'attachment; filename="{folder}.tar"'
    files = tar_of(found.content)
    assert all(name.startswith(f"{folder}/") for name in files)
    products = [name for name in files if name.endswith(".fits")]
    assert len(products) == 6
    for name in products:
        assert f"{name.removesuffix('.fits')}.pdf" in files
        if "combined" not in name:
            assert b"Extracting" in files[f"{name.removesuffix('.fits')}.log"]
        with fits.open(io.BytesIO(files[name])) as hdus:
            assert hdus["FIBRES"].data["NAME"][0] in "".join(
                page.extract_text()
                for page in pypdf.PdfReader(io.BytesIO(files[f"{name.removesuffix('.fits')}.pdf"])).pages
            )
    packed = await get(client, f"/downloads/archive.zip?{FIELD}")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == files


async def test_sums_are_those_of_the_files(client: httpx.AsyncClient) -> None:
    files = tar_of((await get(client, f"/api/downloads/archive.tar?{FIELD}&content=raw")).content)
    folder = next(iter(files)).split("/")[0]
    for name, method in (("SHA256SUMS", hashlib.sha256), ("B3SUMS", blake3)):
        beside = await get(client, f"/api/downloads/{name}?{FIELD}&content=raw")
        assert beside.content == files[f"{folder}/{name}"]
        lines = [line.split("  ") for line in beside.text.splitlines()]
        assert {f"{folder}/{line[1]}" for line in lines} == {
            one for one in files if not one.endswith(("SHA256SUMS", "B3SUMS"))
        }
        for told, one in lines:
            assert method(files[f"{folder}/{one}"]).hexdigest() == told


async def test_how_much_goes_in(client: httpx.AsyncClient, shelf: Site) -> None:
    names = {}
    for content in ("reduced", "raw", "everything"):
        plan = (await get(client, f"/api/downloads?{FIELD}&content={content}")).json()
        names[content] = {file["name"] for file in plan["files"] if file["kind"] != "text"}
        assert plan["missing"] == []
    assert names["reduced"] < names["raw"] < names["everything"]
    raw = names["raw"] - names["reduced"]
    assert raw
    assert all(name.startswith(f"raw/{NIGHT}/ccd_") for name in raw)
    more = {name.rsplit("/", 1)[-1] for name in names["everything"] - names["raw"]}
    assert {"ARC0007red.fits", "FLAT0005red.fits", "FLAT0005red.log", "12mar10005.fits"} <= more
    assert not any("OBJ0012" in name for name in names["everything"]), "another field"


@pytest.mark.parametrize("kind", ["tar", "zip"])
async def test_every_way_to_ask_for_a_part(client: httpx.AsyncClient, kind: str) -> None:
    address = f"/api/downloads/archive.{kind}?{FIELD}&content=raw"
    whole = await get(client, address)
    size, etag = len(whole.content), whole.headers["etag"]
    for start, end in ((0, 1), (511, 513), (size // 3, size // 2), (size - 1, size), (0, size)):
        found = await client.get(address, headers={"Range": f"bytes={start}-{end - 1}", "If-Range": etag})
        assert found.status_code == 206
        assert found.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert found.content == whole.content[start:end]
    tail = await client.get(address, headers={"Range": "bytes=-700"})
    assert tail.content == whole.content[-700:]
    beyond = await client.get(address, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    other = await client.get(address, headers={"Range": "bytes=5-", "If-Range": '"of another content"'})
    assert (other.status_code, len(other.content)) == (200, size)
    assert (await client.get(address, headers={"If-None-Match": etag})).status_code == 304
    head = await client.head(address)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")


async def test_interrupted_download_goes_on_in_another_process(shelf: Site) -> None:
    """Over a real connection that breaks, then with a server that knows nothing of the first."""
    path = f"/api/downloads/archive.tar?{FIELD}&content=everything"
    async with serving(shelf.settings) as (address, _app), httpx.AsyncClient(timeout=30) as client:
        whole = await get(client, f"http://{address}{path}")
        begun = b""
        async with client.stream("GET", f"http://{address}{path}") as answer:
            etag = answer.headers["etag"]
            async for block in answer.aiter_raw(10_000):
                begun += block
                if len(begun) > len(whole.content) // 3:
                    break
    async with serving(shelf.settings) as (address, _app), httpx.AsyncClient(timeout=30) as client:
        rest = await client.get(
            f"http://{address}{path}", headers={"Range": f"bytes={len(begun)}-", "If-Range": etag}
        )
    assert rest.status_code == 206
    assert begun + rest.content == whole.content


async def test_chosen_products_of_any_version(client: httpx.AsyncClient, shelf: Site) -> None:
    old, new = shelf.product(12, "blue"), shelf.product(12, "blue", version=2)
    plan = (await get(client, f"/api/downloads?product={old}&product={new}&pdfs=false")).json()

    products = {file["name"] for file in plan["files"] if file["kind"] == "product"}
    assert {name.rsplit("/", 1)[-1] for name in products} == {"OBJ0012red.fits", "OBJ0012red-v1.fits"}
    assert not any(file["kind"] == "pdf" for file in plan["files"])
    assert "product=" in plan["query"]


async def test_page_shows_what_goes_in(client: httpx.AsyncClient, shelf: Site) -> None:
    await get(client, f"/api/downloads/SHA256SUMS?{FIELD}")
    page = (await client.get(f"/downloads?{FIELD}")).text
    assert 'data-ready="true"' in page
    assert f'href="/downloads/archive.zip?night={NIGHT}&amp;field={MY_FIELD}&amp;content=reduced"' in page
    assert "OBJ0008red.pdf" in page
    product = (await client.get(f"/products/{shelf.product()}")).text
    for kind in ("fits", "ecsv", "txt", "vot"):
        (address,) = re.findall(rf'href="(/api/products/[^"]+/spectra/[0-9]+\.{kind})"', product)
        assert (await client.get(address)).status_code == 200
    nothing = await client.get("/downloads?content=raw")
    assert (nothing.status_code, nothing.headers["location"]) == (303, "/products")
    listed = (await client.get("/products")).text
    assert listed.count('name="product"') > 10
    assert 'action="/downloads"' in listed
    assert f"/downloads?night={NIGHT}" in (await client.get(f"/products?night={NIGHT}")).text


async def test_pdf_of_a_product(client: httpx.AsyncClient, shelf: Site) -> None:
    for root in ("", "/api"):
        found = await get(client, f"{root}/products/{shelf.product()}/spectra.pdf")
        assert found.headers["content-type"] == "application/pdf"
        assert found.headers["content-disposition"] == f'inline; filename="{NIGHT}-OBJ0008red.pdf"'
        assert len(pypdf.PdfReader(io.BytesIO(found.content)).pages) >= 3
        again = await client.get(
            f"{root}/products/{shelf.product()}/spectra.pdf", headers={"If-None-Match": found.headers["etag"]}
        )
        assert again.status_code == 304
    none = await client.get(f"/api/products/{shelf.product(1, 'blue', 'bias')}/spectra.pdf")
    assert none.status_code == 404
    assert "no spectra" in none.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "media_type", "mark"),
    [
        ("fits", "application/fits", b"SIMPLE"),
        ("ecsv", "text/csv; header=present; charset=utf-8", b"# %ECSV"),
        ("txt", "text/plain; charset=utf-8", b"# OBJECT"),
        ("vot", "application/x-votable+xml", b"<?xml"),
    ],
)
async def test_single_spectra(
    client: httpx.AsyncClient, shelf: Site, kind: str, media_type: str, mark: bytes
) -> None:
    address = f"/api/products/{shelf.product()}/spectra/1.{kind}"
    found = await client.get(address)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"] == media_type
    assert (
        found.headers["content-disposition"] == f'attachment; filename="{NIGHT}-OBJ0008red-fibre001.{kind}"'
    )
    assert found.content.startswith(mark)
    assert (await client.get(address, headers={"If-None-Match": found.headers["etag"]})).status_code == 304


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/downloads", 422),
        (f"/api/downloads?{FIELD}&product=x", 422),
        (f"/api/downloads?{FIELD}&content=all", 422),
        (f"/api/downloads?{FIELD}&content=raw&content=raw", 422),
        ("/api/downloads?" + "&".join(f"product=p{number}" for number in range(201)), 422),
        ("/api/downloads?product=..%2F..%2Fetc", 422),
        ("/api/downloads?product=nothing", 404),
        ("/api/downloads?field=nothing", 404),
        ("/api/downloads?request=0123456789abcdef", 404),
        (f"/api/downloads/archive.rar?{FIELD}", 404),
        (f"/api/downloads/..%2f..%2fetc%2fpasswd?{FIELD}", 404),
        (f"/api/downloads/file?{FIELD}", 404),
        (f"/api/downloads/file?{FIELD}&sha256={'0' * 64}", 404),
        (f"/api/downloads/file?{FIELD}&sha256=../etc", 422),
        ("/api/products/nothing/spectra.pdf", 404),
        ("/api/products/nothing/spectra/1.fits", 404),
        ("/api/products/{product}/spectra/999.fits", 404),
        ("/api/products/{product}/spectra/0.fits", 404),
        ("/api/products/{product}/spectra/1.exe", 404),
        ("/api/products/{product}/spectra/1.fits.vot", 404),
    ],
)
async def test_what_is_refused(client: httpx.AsyncClient, shelf: Site, path: str, status: int) -> None:
    found = await client.get(path.format(product=shelf.product()))
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_script_fetches_resumes_and_checks(shelf: Site, tmp_path: Path) -> None:
    async with serving(shelf.settings) as (address, _app), httpx.AsyncClient(timeout=30) as client:
        url = f"http://{address}"
        text = (await get(client, f"{url}/api/downloads/download.sh?{FIELD}&content=raw")).text
        first = await run_script(text, tmp_path, PAWS_URL=url)
        assert first.returncode == 0, first.stderr
        (folder,), whole = spoil(tmp_path)
        again = await run_script(text, tmp_path, PAWS_URL=url)
        assert again.returncode == 0, again.stderr
        assert again.stdout.count(" of ") == 4, "what is there is not fetched again"
        assert content_of(folder) == whole
    check = ["sha256sum", "--quiet", "-c", "SHA256SUMS"]
    checked = await asyncio.to_thread(
        lambda: subprocess.run(check, cwd=folder, capture_output=True, text=True, check=False)
    )
    assert (checked.returncode, checked.stdout) == (0, "")
    gone = await run_script(text, tmp_path, PAWS_TOKEN='x"; url = "http://elsewhere', PAWS_URL=url)
    assert gone.returncode == 2
    assert "no token" in gone.stderr


async def test_files_that_are_gone_or_changed_are_named(own_site: Site, tmp_path: Path) -> None:
    await write_raw_files(own_site.settings, own_site.rows, tmp_path / "raw")
    frame = own_site.rows.frames[8, "blue"]
    async with running(own_site.settings) as (app, client):
        pool = app.state.web.pool

        async def stored(run: int, arm: str) -> Path:
            found = await pool.fetchval(
                "SELECT stored_path FROM product WHERE product_id = $1", own_site.product(run, arm)
            )
            return own_site.settings.data_dir / str(found)

        (await stored(8, "blue")).unlink()
        damaged = await stored(9, "red")
        content = bytearray(damaged.read_bytes())
        content[-1] ^= 1
        damaged.write_bytes(content)
        (tmp_path / "raw" / "ccd_1" / frame.name).unlink()
        await pool.execute(
            "UPDATE product SET stored_path = '../../../etc/passwd' WHERE product_id = $1",
            own_site.product(8, "red"),
        )
        files = tar_of((await get(client, f"/api/downloads/archive.tar?{FIELD}&content=raw")).content)
        plan = (await client.get(f"/api/downloads?{FIELD}&content=raw")).json()

    reasons = {item["name"].rsplit("/", 1)[-1]: item["reason"] for item in plan["missing"]}
    assert reasons.keys() == {"OBJ0008red.fits", "OBJ0009red.fits", frame.name}
    assert "removed" in reasons["OBJ0008red.fits"]
    assert "damaged" in reasons["OBJ0009red.fits"]
    assert "raw folder" in reasons[frame.name]
    (missing,) = (text for name, text in files.items() if name.endswith("/MISSING.txt"))
    assert all(name in missing.decode() for name in reasons)
    assert not any(b"root:" in content for content in files.values())


async def test_hostile_headers_make_no_hostile_names(hostile_site: Site) -> None:
    async with running(hostile_site.settings) as (app, client):
        await app.state.web.pool.execute(
            "UPDATE product SET path = '../../../tmp/\"; rm -rf ~ #\r\n/<script>.fits' WHERE product_id = $1",
            hostile_site.product(),
        )
        found = await get(client, f"/api/downloads/archive.tar?product={hostile_site.product()}")
        page = await client.get(f"/downloads?product={hostile_site.product()}")
        script = await get(client, f"/api/downloads/download.sh?product={hostile_site.product()}")

    names = list(tar_of(found.content))
    assert names
    assert all(re.fullmatch(r"[A-Za-z0-9+_.-]+(/[A-Za-z0-9+_][A-Za-z0-9+_.-]*)+", name) for name in names)
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9+_.-]+"', found.headers["content-disposition"])
    assert "<script>." not in page.text
    assert "rm -rf ~" not in script.text


async def test_too_many_at_once_are_refused(shelf: Site) -> None:
    async with running(shelf.settings) as (app, client):
        address = f"/api/downloads/archive.tar?{FIELD}&pdfs=false"
        assert (await get(client, address)).status_code == 200
        desk = app.state.web.downloads
        assert desk._sending == {}
        for _ in range(12):
            desk._sending["127.0.0.1"] += 1
        refused = await client.get(address)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "30"
        assert (await client.get(f"/api/downloads?{FIELD}&pdfs=false")).status_code == 200


async def test_fetching_file_by_file_lays_out_once(shelf: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(shelf.settings) as (app, client):
        desk = app.state.web.downloads
        plan = (await get(client, f"/api/downloads/SHA256SUMS?{FIELD}&pdfs=false")).text.splitlines()
        asked = 0
        outline = desk.outline

        async def counted(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            return await outline(*arguments)

        monkeypatch.setattr(desk, "outline", counted)
        for line in plan:
            sha256, name = line.split("  ")
            found = await client.get(f"/api/downloads/file?{FIELD}&pdfs=false&sha256={sha256}")
            assert hashlib.sha256(found.content).hexdigest() == sha256
            assert found.headers["content-disposition"].endswith(f'"{name.rsplit("/", 1)[-1]}"')
        assert (len(plan) > 10, asked) == (True, 1)
        monkeypatch.setattr("web.downloads.desk._REMEMBERED", 0.0)
        await client.get(f"/api/downloads/file?{FIELD}&pdfs=false&sha256={sha256}")
        assert asked == 2


async def test_slow_clients_hold_no_database_connection(shelf: Site) -> None:
    path = f"/api/downloads/archive.tar?{FIELD}&content=everything&pdfs=false"
    async with serving(shelf.settings) as (address, app), httpx.AsyncClient(timeout=30) as client:
        await get(client, f"http://{address}{path}")
        host, port = address.split(":")
        slow = []
        for _ in range(10):
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            slow.append((reader, writer))
        pool = app.state.web.pool
        # The feed has one for a moment, again and again.
        await until(lambda: pool.get_idle_size() == pool.get_size(), "connections are held")
        assert (await client.get(f"http://{address}/api/nights")).status_code == 200
        for _reader, writer in slow:
            await closed(writer)
        await until(lambda: not app.state.web.downloads._sending, "who is gone is counted")
