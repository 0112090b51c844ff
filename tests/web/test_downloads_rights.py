"""Whose data are in a download: other people's, share links, tokens, requests, and rights that end."""

from __future__ import annotations

import asyncio
import io
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support.night_plan import NIGHT
from tests.support.people import MY_FIELD, THEIR_FIELD, THEIRS, House, make_token, send, shown
from tests.web.conftest import serving
from tests.web.download_site import FIELD, get, run_script, tar_of


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
