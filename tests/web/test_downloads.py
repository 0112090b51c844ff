"""Downloads over the application: whole, in parts, resumed, by whom they may be had, and what is missing."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pypdf
import pytest
from astropy.io import fits
from blake3 import blake3

from tests.support.night_plan import NIGHT
from tests.support.people import MY_FIELD, THEIR_FIELD, THEIRS, House, make_token, send, shown
from tests.support.postgres import DatabaseServer
from tests.web.conftest import Site, running, serving
from tests.web.download_site import make_shelf, write_raw_files

FIELD = f"night={NIGHT}&field={MY_FIELD}"


@pytest.fixture(scope="module")
def shelf(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_shelf(database_server, tmp_path_factory.mktemp("downloads"), "web_downloads")


@pytest.fixture
async def client(shelf: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with running(shelf.settings) as (_app, found):
        yield found


async def get(client: httpx.AsyncClient, address: str, **headers: str) -> httpx.Response:
    """An answer, as who retries gets it."""
    for _ in range(30):
        found = await client.get(address, headers=headers)
        if found.status_code != 503:
            return found
        assert found.headers["retry-after"] == "3"
        await asyncio.sleep(0.3)
    raise AssertionError(found.text)


def tar_of(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]  # files only


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


async def run_script(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = folder / "download.sh"
    path.write_text(text)
    return await asyncio.to_thread(
        lambda: subprocess.run(
            ["sh", str(path)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
    )


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def spoil(where: Path) -> tuple[list[Path], dict[Path, bytes]]:
    """One file is lost, one torn by an interruption, one begun with rubbish, one damaged; gives what was there."""
    folders = [path for path in where.iterdir() if path.is_dir()]
    whole = content_of(folders[0])
    lost, torn, rubbish, damaged = [path for path in whole if path.suffix == ".fits"][:4]
    for path in (lost, torn, rubbish):
        path.unlink()
    Path(f"{torn}.part").write_bytes(whole[torn][:5000])
    Path(f"{rubbish}.part").write_bytes(bytes(9_999_999))
    damaged.write_bytes(whole[damaged][:-1])
    return folders, whole


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


async def test_other_peoples_data_are_in_no_download(house: House) -> None:
    products = await house.pool.fetch(
        "SELECT product_id, field FROM product WHERE current AND kind = 'object'"
    )
    mine = [row["product_id"] for row in products if row["field"] == MY_FIELD]
    theirs = [row["product_id"] for row in products if row["field"] == THEIR_FIELD]
    lea, visitor = await house.person("lea"), house.browser()

    both = "&".join(f"product={one}" for one in [*mine, *theirs])
    plan = (await lea.get(f"/api/downloads?{both}&content=everything&pdfs=false")).json()
    text = str(plan)
    assert len(
        [file for file in plan["files"] if file["kind"] == "product" and "OBJ" in file["name"]]
    ) == len(theirs)
    assert MY_FIELD not in text
    assert not any(one in text for one in mine)
    assert not any(frame.name in text for frame in house.frames_of(MY_FIELD))
    nothing = (await lea.get("/api/downloads?product=00000000000000000000-object")).text
    for client in (lea, visitor):
        for address in (
            f"/api/downloads?field={MY_FIELD}",
            f"/api/downloads/archive.tar?{FIELD}",
            f"/downloads?{FIELD}",
            f"/api/downloads?product={mine[0]}",
            f"/api/products/{mine[0]}/spectra.pdf",
            f"/products/{mine[0]}/spectra.pdf",
            f"/api/products/{mine[0]}/spectra/1.fits",
        ):
            found = await client.get(address)
            assert found.status_code == 404, address
            assert not any(frame.name in found.text for frame in house.frames_of(MY_FIELD))
        assert (await client.get(f"/api/downloads?product={mine[0]}")).text == nothing


async def test_logs_are_told_without_other_peoples_frames(house: House) -> None:
    lea, root = await house.person("lea"), await house.person("root")
    hidden = house.frames_of(MY_FIELD)[0].name.removesuffix(".fits")
    job = await house.pool.fetchrow(
        "SELECT product_id, log_path FROM product JOIN reduction USING (job_key)"
        " WHERE product.field = $1 AND current AND product.kind = 'object' LIMIT 1",
        THEIR_FIELD,
    )
    path = house.settings.data_dir / job["log_path"]
    before = path.read_text()
    path.write_text(f"{before}passed over {hidden}.fits\n")
    try:
        address = f"/api/downloads/archive.tar?product={job['product_id']}&pdfs=false"
        for client, told in ((lea, False), (root, True)):
            files = tar_of((await get(client, address)).content)
            (log,) = (content for name, content in files.items() if name.endswith(".log"))
            assert (hidden.encode() in log) is told
            assert b"passed over" in log
    finally:
        path.write_text(before)


async def test_share_links_and_tokens_download_what_they_cover(house: House) -> None:
    theo, guest = await house.person("theo"), house.browser()
    address = f"/api/downloads/archive.tar?field={THEIR_FIELD}&pdfs=false"
    assert (await guest.get(address)).status_code == 404
    made = await send(
        theo, "/account/shares", f"/account/shares?proposal={THEIRS}", proposal=THEIRS, field=THEIR_FIELD,
        products="", note="", days="3",
    )  # fmt: skip
    await guest.get(shown(made.text).replace("http://paws", ""))
    files = tar_of((await get(guest, address)).content)
    assert any("OBJ0012red" in name for name in files)
    assert f"/downloads?field={THEIR_FIELD}" in (await guest.get("/shared")).text
    assert (await guest.get(f"/api/downloads?field={MY_FIELD}")).status_code == 404
    assert (await guest.get(f"{address}&content=everything")).status_code == 200


async def make_request(house: House, field_name: str, products: list[str]) -> str:
    """A request for a field's frames that made, or reused, some products."""
    identifier = "0123456789abcdef"
    await house.pool.execute(
        "INSERT INTO request (request_id, account_id, who, night, engine, engine_version, parameters_version, variant,"
        " frames, submitted_at, owners) SELECT $1, account_id, name, $2, 'builtin', '', 1, 'v', 1, now(), $3"
        " FROM account WHERE name = 'theo'",
        *(identifier, NIGHT, [THEIRS]),
    )
    await house.pool.executemany(
        "INSERT INTO request_frame (request_id, frame_id, position) VALUES ($1, $2, 0)",
        [(identifier, frame.frame_id) for frame in house.frames_of(field_name)],
    )
    for position, product in enumerate(products):
        await house.pool.execute(
            "INSERT INTO request_part (request_id, job_key, position, slot, kind, night, label, result)"
            " SELECT $1, job_key, $3, slot, kind, night, 'x', $3 = 0 FROM product WHERE product_id = $2",
            *(identifier, product, position),
        )
    return identifier


async def test_what_a_request_made(house: House) -> None:
    products = await house.pool.fetch(
        "SELECT product_id FROM product WHERE field = $1 AND current ORDER BY kind = 'object' DESC, path",
        THEIR_FIELD,
    )
    made = [row["product_id"] for row in products][:2]
    request = await make_request(house, THEIR_FIELD, made)
    lea, mia = await house.person("lea"), await house.person("mia")
    address = f"/api/downloads/archive.zip?request={request}&pdfs=false"
    found = await get(lea, address)
    assert (
        found.headers["content-disposition"] == f'attachment; filename="paws-request-{request}-reduced.zip"'
    )
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".fits")]
    assert len(names) == 1, "its result, and not what was reduced for it"
    plan = (await lea.get(f"/api/downloads?request={request}&pdfs=false")).json()
    assert plan["query"] == f"product={made[0]}&content=reduced&pdfs=false"
    for client in (mia, house.browser()):
        refused = await client.get(address)
        assert refused.status_code == 404
        nothing = await client.get(address.replace(request, "f" * 16))
        assert refused.text == nothing.text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_script_with_a_token_and_with_a_share_link(house: House, tmp_path: Path) -> None:
    theo = await house.person("theo")
    token = shown((await make_token(theo)).text)
    made = await send(
        theo, "/account/shares", f"/account/shares?proposal={THEIRS}", proposal=THEIRS, field=THEIR_FIELD,
        products="", note="", days="3",
    )  # fmt: skip
    key = shown(made.text).split("key=")[1]
    guest = house.browser()
    await guest.get(f"/share?key={key}")
    address = f"/api/downloads/download.sh?field={THEIR_FIELD}&pdfs=false"
    texts = {"token": (await get(theo, address)).text, "share": (await get(guest, address)).text}
    assert not any(secret in text for secret in (token, key) for text in texts.values())
    async with serving(house.settings) as (host, app):
        app.state.web.clock = house.clock
        url = f"http://{host}"
        for name, secret, status in (("token", token, 0), ("share", key, 0), ("token", f"{token}x", 1)):
            folder = tmp_path / f"{name}{status}"
            await asyncio.to_thread(folder.mkdir)
            # No waiting between tries that cannot succeed.
            quick = texts[name].replace("-lt 6", "-lt 1")
            done = await run_script(quick, folder, PAWS_URL=url, **{f"PAWS_{name.upper()}": secret})
            assert done.returncode == status, done.stderr
            assert secret not in done.stdout + done.stderr
            fetched = await asyncio.to_thread(lambda where=folder: list(where.rglob("*red.fits")))
            assert bool(fetched) is (status == 0)


async def test_rights_that_end_end_what_goes_on(house: House) -> None:
    lea, root = await house.person("lea"), await house.person("root")
    query = f"field={THEIR_FIELD}&pdfs=false"
    line = (await get(lea, f"/api/downloads/SHA256SUMS?{query}")).text.split()[0]
    address = f"/api/downloads/file?{query}&sha256={line}"
    assert (await lea.get(address)).status_code == 200
    page = f"/people/group?proposal={THEIRS}"
    await send(root, "/people/group", page, proposal=THEIRS, change="drop", name="lea")
    assert (await lea.get(address)).status_code == 404
    assert (await root.get(address)).status_code == 200


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
        assert pool.get_idle_size() == pool.get_size()
        assert (await client.get(f"http://{address}/api/nights")).status_code == 200
        for _reader, writer in slow:
            writer.close()
        for _ in range(100):
            if not app.state.web.downloads._sending:
                break
            await asyncio.sleep(0.05)
        assert not app.state.web.downloads._sending, "who is gone is not counted"
