from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.night_plan import HOSTILE, NIGHT
from tests.web.conftest import Site, running
from web.security import SAMP_POLICY, SECURITY_HEADERS

VOID = {"meta", "link", "img", "input", "br", "progress", "col", "hr"} - {"progress"}


class Outline(HTMLParser):
    """Checks that tags nest, and collects text, scripts, identifiers and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)
        assert not self.stack, f"not closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert len(values) == len(attrs), f"attribute given twice in <{tag}>"
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "script":
            self.scripts.append(values)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack[-1] == tag, f"</{tag}> closes <{self.stack[-1]}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def addresses(site: Site) -> list[str]:
    failed = site.rows.jobs[site.frame(10, "red")]
    return [
        "/",
        f"/nights/{NIGHT}",
        "/nights/20200101",
        "/nights",
        "/products",
        f"/products?night={NIGHT}&kind=&arm=blue&field=&current=false&limit=5&offset=2",
        f"/products/{site.product()}",
        f"/products/{site.product()}?fibre=3",
        f"/products/{site.product(1, 'blue', 'bias')}",
        f"/frames/{site.frame(12)}",
        f"/frames/{site.frame(15, 'red')}",
        f"/frames/{site.frame(15)}",
        f"/reductions/{failed}",
        f"/log/{NIGHT}",
        "/log/20200101",
        "/archive?limit=3&sort=object&position=35.5+-28.7",
        "/archive?view=fields",
        "/archive/selection?arm=blue",
        f"/archive/field?night={NIGHT}&field=FLD195_v03&plate=1",
        "/api",
        "/frames/nothing",
    ]


async def test_pages_are_well_formed_and_need_nothing_from_outside(
    site: Site, client: httpx.AsyncClient
) -> None:
    for address in addresses(site):
        found = await client.get(address)
        assert found.status_code in (200, 404), (address, found.text)
        outline = Outline(found.text)
        assert len(set(outline.ids)) == len(outline.ids), address
        assert not outline.handlers, address
        assert all(item.startswith(("/", "#", "?")) or item == "" for item in outline.addresses), address
        assert all("src" in item or item.get("type") == "application/json" for item in outline.scripts)
        # Pages that show spectra may also reach a hub of SAMP, and nothing else outside.
        expected = SECURITY_HEADERS | (
            {"Content-Security-Policy": SAMP_POLICY} if 'id="samp"' in found.text else {}
        )
        assert {name: found.headers[name] for name in expected} == expected


async def test_links_within_the_site_lead_somewhere(site: Site, client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for address in addresses(site)[:-1]:
        for link in Outline((await client.get(address)).text).addresses:
            if link.startswith("/") and link not in seen:
                seen.add(link)
                found = await client.get(link)
                if (
                    link.endswith("sparkline.svg")
                    or "/product" in link
                    or "/frames" in link
                    or "/static" in link
                    or link.startswith("/look")
                    or link == "/downloads"  # where a form leads; nothing is chosen here
                ):
                    assert found.status_code in (200, 303), (address, link, found.text)
                else:
                    assert found.status_code == 200, (address, link)
    assert len(seen) > 80


async def test_live_page_reads_without_javascript(site: Site, client: httpx.AsyncClient) -> None:
    text = Outline((await client.get("/")).text).text

    for part in (
        "12 March 2026",
        "30 frames",
        "SGP0344_deep plate 0 · 580V + 385R",
        "6 of 10 done",
        "Waits for the fibre flat 0013 of this field",
        "provisional",
        "S/N 5.7",
        "same plate and night",
        "31 fibres have no sky line",
        "cloud, guiding lost",
        "65.2k, 24 % saturated",
        "12mar20016.fits",
        "has not grown for 10 min",
    ):
        assert part in text, part


async def test_header_values_are_text_everywhere(hostile_site: Site) -> None:
    async with running(hostile_site.settings) as (_app, client):
        plain = 0
        for address in addresses(hostile_site):
            html = (await client.get(address)).text
            assert HOSTILE not in html, address
            assert "<script>alert" not in html.lower(), address
            assert "49" not in re.findall(r"COMMENTS.{0,200}", html), address
            plain += Outline(html).text.count(HOSTILE)
        assert plain >= 4, "the value itself must still be readable"
        page = (await client.get(f"/frames/{hostile_site.frame(9)}")).text
        assert "{{ 7 * 7 }}" in Outline(page).text


async def test_csv_is_complete_and_harmless(hostile_site: Site) -> None:
    async with running(hostile_site.settings) as (_app, client):
        found = await client.get(f"/log/{NIGHT}.csv")
    rows = list(csv.DictReader(io.StringIO(found.text)))

    assert len(rows) == 30
    assert all(row["object_name"].startswith("'=cmd()") for row in rows)
    assert found.headers["content-disposition"] == f'attachment; filename="observing-log-{NIGHT}.csv"'
    assert rows[14]["ut_start"].endswith("Z")


async def test_frame_page_explains_the_calibrations(site: Site, client: httpx.AsyncClient) -> None:
    text = Outline((await client.get(f"/frames/{site.frame(12)}")).text).text

    for part in (
        "L1",
        "12mar10005.fits",
        "1 passed over",
        "24 % saturated",
        "No long-slit flat",
        "GRATID",
    ):
        assert part in text, part


async def test_product_of_a_reduction_is_found(site: Site, client: httpx.AsyncClient) -> None:
    key = site.rows.jobs[site.frame(8)]
    found = await client.get(f"/reductions/{key}/product")

    assert (found.status_code, found.headers["location"]) == (303, f"/products/{site.product()}")
    failed = site.rows.jobs[site.frame(10, "red")]
    assert (await client.get(f"/reductions/{failed}/product")).status_code == 404


async def test_log_of_a_reduction(site: Site, client: httpx.AsyncClient) -> None:
    failed = site.rows.jobs[site.frame(10, "red")]
    found = await client.get(f"/reductions/{failed}/log")

    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Extracting" in found.text


async def test_product_file_whole_and_in_ranges(site: Site, client: httpx.AsyncClient) -> None:
    address = f"/products/{site.product()}/file"
    whole = await client.get(address)
    assert whole.headers["content-type"] == "application/fits"
    assert "OBJ0008red.fits" in whole.headers["content-disposition"]
    assert whole.content[:6] == b"SIMPLE"

    part = await client.get(address, headers={"Range": "bytes=2880-5759"})
    assert (part.status_code, part.content) == (206, whole.content[2880:5760])
    resumed = await client.get(address, headers={"Range": "bytes=100-", "If-Range": whole.headers["etag"]})
    assert (resumed.status_code, resumed.content) == (206, whole.content[100:])
    other = await client.get(address, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert other.status_code == 200
    assert (await client.get(address, headers={"If-None-Match": whole.headers["etag"]})).status_code == 304
    assert (await client.get(address, headers={"Range": "bytes=999999999-"})).status_code == 416


async def test_database_cannot_lead_out_of_the_data_folder(own_site: Site) -> None:
    (own_site.settings.data_dir.parent / "outside.fits").write_bytes(b"secret")
    addresses = (
        f"/products/{own_site.product()}/file",
        f"/products/{own_site.product()}/sparkline.svg",
        f"/api/products/{own_site.product()}/spectra/1",
        f"/reductions/{own_site.rows.jobs[own_site.frame(8)]}/log",
    )
    async with running(own_site.settings) as (app, client):
        for stored in ("../outside.fits", "/etc/passwd", "products/../../outside.fits"):
            await app.state.web.pool.execute("UPDATE product SET stored_path = $1", stored)
            await app.state.web.pool.execute("UPDATE reduction SET log_path = $1", stored)
            for address in addresses:
                found = await client.get(address)
                assert found.status_code == 404, (stored, address)
                assert b"secret" not in found.content
                assert b"root:" not in found.content


async def test_vanished_file_is_told(own_site: Site) -> None:
    async with running(own_site.settings) as (_app, client):
        for path in own_site.settings.versions_dir.rglob("OBJ0008red.fits"):
            path.unlink()
        for address in (f"/products/{own_site.product()}/file", f"/products/{own_site.product()}"):
            found = await client.get(address)
            assert "reduce the frame again" in found.text, address


async def test_static_files_do_not_leave_their_folder(client: httpx.AsyncClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
        assert (await client.get(path)).status_code == 404
    kept = await client.get("/static/app.css?v=1")
    assert "immutable" in kept.headers["cache-control"]


async def test_only_named_hosts_are_answered(site: Site) -> None:
    settings = site.settings.model_copy(update={"web_hosts": ("paws",)})
    async with running(settings) as (_app, client):
        assert (await client.get("/nights")).status_code == 200
        found = await client.get("/nights", headers={"Host": "evil.example"})
        assert found.status_code == 400
        assert found.headers["x-content-type-options"] == "nosniff"


async def test_health_and_metrics(own_site: Site) -> None:
    async with running(own_site.settings) as (_app, client):
        import asyncpg

        assert (await client.get("/healthz")).json()["ok"] is True
        connection = await asyncpg.connect(own_site.settings.require_database())
        await connection.execute(
            "INSERT INTO outbox (topic, key, event_id, payload, created_at)"
            " VALUES ('frames.arrived', $1, 'x', '{}', now() - interval '5 minutes')",
            NIGHT,
        )
        await connection.close()
        sick = await client.get("/healthz")
        assert sick.status_code == 503
        assert {part["name"]: part["ok"] for part in sick.json()["parts"]}["relay"] is False

        await client.get(f"/frames/{own_site.frame(8)}")
        text = (await client.get("/metrics")).text
        assert 'paws_frames{state="reduced"} 22.0' in text
        assert 'paws_reductions{kind="reduce_object",state="failed"} 1.0' in text
        assert "paws_queue_depth 1.0" in text
        assert "paws_outbox_waiting 1.0" in text
        assert 'route="/frames/{frame_id}"' in text
        assert own_site.frame(8) not in text


async def test_lost_database_is_told_and_its_return_noticed(site: Site) -> None:
    async with running(site.settings) as (app, client):
        pool: Any = app.state.web.pool

        class Away:
            def __getattr__(self, name: str) -> Any:
                raise ConnectionRefusedError("gone")

        app.state.web.pool = Away()
        assert (await client.get("/")).status_code == 503
        found = await client.get("/api/frames")
        assert (found.status_code, found.headers["retry-after"]) == (503, "5")
        assert (await client.get("/healthz")).status_code == 503
        assert "paws_database_up 0.0" in (await client.get("/metrics")).text
        app.state.web.pool = pool
        assert (await client.get("/")).status_code == 200


async def test_unexpected_errors_show_nothing_of_the_inside(
    site: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("web.storage.frames.nights", broken)
    with capture_logs() as logged:
        for address in ("/nights", "/api/nights"):
            found = await client.get(address)
            assert found.status_code == 500
            assert "secret" not in found.text
            assert found.headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]

    assert all("secret detail" in line["error"] for line in logged)
    assert len(logged) == 2


async def test_notices_are_shown_as_text(own_site: Site) -> None:
    async with running(own_site.settings) as (app, client):
        await app.state.web.pool.execute(
            "INSERT INTO status_event (seq, outbox_id, night, entity, entity_id, state, payload, at)"
            " VALUES (1000, 100000, $1, 'notice', 'x', 'gone', $2, now())",
            NIGHT,
            {"payload": {"text": f"The raw folder is away {HOSTILE}"}},
        )
        html = (await client.get("/")).text
    assert HOSTILE not in html
    assert f"The raw folder is away {HOSTILE}" in Outline(html).text
