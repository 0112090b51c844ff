"""Files of every format become tables: from the command line, and by the process behind the pages."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import io
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result
from pyarrow import csv, parquet

from paws.accounts.audit import Actor
from paws.clock import utc_now
from paws.commands.tap import tap
from paws.database import connect, open_pool
from paws.errors import PawsError
from paws.settings import Settings
from paws.vo.audience import Audience
from paws.vo.names import table_name
from paws.vo.publish import queue, shelf
from paws.vo.publish.errors import MetadataError, PublishError
from paws.vo.publish.wish import Wish
from paws.vo.publish.work import work_off
from paws.vo.reading import TableFileError
from web.vo.tables.publisher import PublisherDesk

CSV = "id,RA,dec,size,name\n1,10.5,-30.25,2.5,one\n2,350,89.9,,two\n3,,,1,\n"
FORMATS = ("votable", "fits", "csv", "parquet", "csv.gz")


def star_table() -> Table:
    """The table of `CSV`, with units and descriptions."""
    table = Table.read(CSV, format="ascii.csv")
    table["RA"].unit = table["dec"].unit = "deg"
    table["size"].description = "Half-light radius"
    table["size"].unit = "arcsec"
    return table


def write(folder: Path, kind: str) -> Path:
    path = folder / f"stars.{kind}"
    if kind == "csv":
        path.write_text(CSV)
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(CSV.encode()))
    elif kind == "fits":
        fits.BinTableHDU(star_table().filled()).writeto(path)
    elif kind == "parquet":
        parquet.write_table(csv.read_csv(io.BytesIO(CSV.encode())), path)
    else:
        star_table().write(path, format=kind)
    return path


@pytest.fixture
def run(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PAWS_DATABASE_URL", database.require_database())
    monkeypatch.setenv("PAWS_DATA_DIR", str(database.data_dir))

    def call(*arguments: Any) -> Result:
        return CliRunner().invoke(tap, [str(item) for item in arguments])

    return call


def ask(settings: Settings, question: str) -> list[tuple[Any, ...]]:
    async def work() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(settings.require_database())
        try:
            return [tuple(row) for row in await connection.fetch(question)]
        finally:
            await connection.close()

    return asyncio.run(work())


def relation(settings: Settings, name: str = "gama.sources") -> str:
    return str(ask(settings, f"SELECT relation FROM tap_schema.tables WHERE table_name = '{name}'")[0][0])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_of_every_format_becomes_a_table(
    run: Any, database: Settings, tmp_path: Path, kind: str
) -> None:
    metadata = tmp_path / "meta.json"
    metadata.write_text(
        json.dumps({"description": "Sources", "columns": {"id": {"desc": "Number", "ucd": "meta.id"}}})
    )
    done = run("publish", write(tmp_path, kind), "--table", "Gama.Sources", "--metadata", metadata)
    assert done.exit_code == 0, done.output
    assert "gama.sources: 3 rows, 5 columns, positions RA and dec indexed, seen by everybody" in done.output
    found = ask(database, f'SELECT id::int, "RA", dec FROM {relation(database)} ORDER BY id')
    assert found[0] == (1, 10.5, -30.25)
    columns = ask(
        database,
        "SELECT column_name, coalesce(unit, ''), coalesce(ucd, ''), coalesce(description, ''), indexed FROM tap_schema.columns"
        " WHERE table_name = 'gama.sources' ORDER BY column_index",
    )
    deg = "" if kind.startswith(("csv", "parquet")) else "deg"
    assert columns[:3] == [
        ("id", "", "meta.id", "Number", 0),
        ("RA", deg, "", "", 1),
        ("dec", deg, "", "", 1),
    ]
    assert columns[3][0] == '"size"'
    if kind == "votable":
        assert columns[3][1:4] == ("arcsec", "", "Half-light radius")
    listed = run("list").output
    assert "gama.sources" in listed
    assert "everybody" in listed
    described = run("describe", "GAMA.sources").output
    assert "Sources" in described
    assert "command line" in described
    assert run("drop", "gama.sources").exit_code == 0
    assert isinstance(run("drop", "gama.sources").exception, PublishError)
    assert "no table is published" in run("list").output


def test_audiences_from_the_command_line(run: Any, database: Settings, tmp_path: Path) -> None:
    ask(database, "INSERT INTO account (name) VALUES ('mia')")
    file = write(tmp_path, "csv")
    assert (
        "seen by members of A/2026A/008"
        in run("publish", file, "--table", "gama.a", "--proposal", "a/2026a/008").output
    )
    again = run("publish", file, "--table", "gama.a", "--replace")
    assert "seen by members of A/2026A/008" in again.output, "new rows make nothing public"
    assert "seen by everybody" in run("publish", file, "--table", "gama.a", "--replace", "--public").output
    own = run("publish", file, "--table", "stars", "--owner", "mia")
    assert "user_mia.stars" in own.output
    assert "seen by its owner" in own.output
    for arguments in (
        ("--table", "user_mia.b"),
        ("--table", "gama.b", "--owner", "mia"),
        ("--table", "gama.b", "--owner", "nobody"),
        ("--table", "gama.b", "--public", "--proposal", "A/2026A/008"),
        ("--table", "gama.b", "--proposal", "no!"),
        ("--table", "gama"),
    ):
        refused = run("publish", file, *arguments)
        assert isinstance(refused.exception, PawsError), arguments
        assert refused.exit_code == 1


def test_what_is_wrong_with_a_file_is_told_and_leaves_nothing(
    run: Any, database: Settings, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("a,b\n1,2,3\n")
    metadata = tmp_path / "meta.csv"
    metadata.write_text("name,description\nnothing,x\n")
    cases = [
        (("publish", broken, "--table", "gama.a"), TableFileError),
        (("publish", tmp_path / "away.csv", "--table", "gama.a"), PublishError),
        (("publish", write(tmp_path, "csv"), "--table", "gama.a", "--metadata", metadata), MetadataError),
        (("publish", "ftp://nowhere/x.csv", "--table", "gama.a"), PublishError),
        (("describe", "gama.a"), PublishError),
    ]
    for arguments, kind in cases:
        refused = run(*arguments)
        assert isinstance(refused.exception, kind), (arguments, refused.output)
    assert ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'published'") == []


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = CSV.encode()
        self.send_response(200 if self.path.startswith("/stars") else 404)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.end_headers()
        with suppress(ConnectionError):  # whoever has enough goes
            for _ in range(2_000 if "large" in self.path else 1):
                self.wfile.write(body if "large" not in self.path else b"x" * 1000)

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def files() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def test_a_file_of_an_address(
    run: Any, database: Settings, files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("publish", f"{files}/stars?format=csv", "--table", "gama.a").exit_code == 0
    assert ask(database, "SELECT source FROM tap_schema.tables WHERE table_name = 'gama.a'") == [
        (f"{files}/stars?format=csv",)
    ]
    assert "404" in str(run("publish", f"{files}/nothing", "--table", "gama.b").exception)
    monkeypatch.setenv("PAWS_TAP_PUBLISH_SIZE", "1")
    assert "1,000,000 bytes" in str(run("publish", f"{files}/stars-large", "--table", "gama.b").exception)


# --- uploads that wait ------------------------------------------------------------------------------------------------


async def upload(settings: Settings, name: str, content: str | bytes = CSV, **more: Any) -> str:
    publication_id, folder = queue.new_folder(settings)
    (folder / "table").write_bytes(content if isinstance(content, bytes) else content.encode())
    connection = await connect(settings)
    try:
        await queue.take_on(
            connection,
            publication_id,
            Wish(table_name(name), "stars.csv", Actor("ann"), **more),
            account=None,
            kind="csv",
            metadata=False,
            at=utc_now(),
        )
    finally:
        await connection.close()
    return publication_id


async def states(connection: Any) -> dict[str, tuple[str, str]]:
    found = await queue.publications_of(connection, None, everybody=True)
    return {item.table_name: (item.state, item.message) for item in found}


async def test_what_waits_is_worked_off(database: Settings) -> None:
    await upload(database, "gama.a")
    await upload(database, "gama.b", "a,b\n1,2,3\n")
    await upload(database, "gama.c", "\0\0\0")
    assert await work_off(database) == 3
    assert await work_off(database) == 0
    connection = await connect(database)
    try:
        found = await states(connection)
        assert found["gama.a"] == (
            "published",
            "RA has no unit; degrees are assumed, as its name suggests.\n"
            "dec has no unit; degrees are assumed, as its name suggests.\n1 row has no position.",
        )
        assert found["gama.b"][0] == found["gama.c"][0] == "failed"
        assert all(message for _state, message in found.values())
        assert not await queue.anything_waits(connection)
        assert [table.name for table in await shelf.all_published(connection)] == ["gama.a"]
    finally:
        await connection.close()
    assert list(queue.uploads_dir(database).iterdir()) == []


async def test_no_more_at_once_than_there_are_slots_and_the_dead_are_taken_back(database: Settings) -> None:
    await upload(database, "gama.a")
    holder = await connect(database)
    slot = await queue.take_slot(holder, 1)
    assert slot == 0
    assert await queue.claim(holder, database, slot) is not None
    # Another process finds the slot taken; and when its holder dies, its work.
    assert await work_off(database) == 0
    assert (await states(holder))["gama.a"][0] == "running"
    await holder.close()
    # One that died in a slot which nobody has any more, for there are fewer now.
    first, second = await connect(database), await connect(database)
    assert (await queue.take_slot(first, 2), await queue.take_slot(second, 2)) == (0, 1)
    assert await queue.take_back(second, 1) == 0  # the other one is alive, as far as one can see
    await first.close()
    assert await queue.take_back(second, 1) == 1
    assert await queue.claim(second, database, 1) is not None
    await second.close()
    assert await work_off(database) == 1
    connection = await connect(database)
    try:
        assert (await states(connection))["gama.a"][0] == "published"
    finally:
        await connection.close()


async def test_what_kills_its_process_every_time_fails_in_the_end(database: Settings) -> None:
    await upload(database, "gama.a")
    for _ in range(queue.MOST_TRIES):
        holder = await connect(database)
        slot = await queue.take_slot(holder, 1)
        assert slot is not None
        await queue.take_back(holder, slot)
        assert await queue.claim(holder, database, slot) is not None
        await holder.close()
    await work_off(database)
    connection = await connect(database)
    try:
        state, message = (await states(connection))["gama.a"]
        assert state == "failed"
        assert "3 times" in message
    finally:
        await connection.close()


async def test_what_unpacks_to_more_than_a_quota_allows_is_given_up(database: Settings) -> None:
    connection = await connect(database)
    try:
        mia = await connection.fetchval("INSERT INTO account (name) VALUES ('mia') RETURNING account_id")
        bomb = gzip.compress(b"a,b\n" + b"1,1\n" * 2_000_000)
        assert len(bomb) < 100_000
        await upload(database, "user_mia.bomb", bomb, audience=Audience(account=mia))
        await work_off(database.model_copy(update={"tap_personal_size": 1}))
        assert await states(connection) == {}, "it is nobody else's to see"
        row = await connection.fetchrow("SELECT state, message FROM tap_publication")
        assert row["state"] == "failed"
        assert "4,000,000 bytes" in row["message"]
    finally:
        await connection.close()


async def test_old_uploads_are_swept(database: Settings) -> None:
    kept = await upload(database, "gama.a")
    orphan, _folder = queue.new_folder(database)
    connection = await connect(database)
    try:
        assert await queue.sweep(connection, database) == []
        assert await queue.sweep(connection, database, older_than=-1) == [orphan]
        assert (queue.uploads_dir(database) / kept / "table").exists()
        await connection.execute(
            "UPDATE tap_publication SET state = 'failed', finished_at = now() - interval '8 days'"
        )
        await queue.sweep(connection, database)
        assert await states(connection) == {}
    finally:
        await connection.close()


def test_uploads_are_worked_off_by_hand_too(run: Any, database: Settings) -> None:
    asyncio.run(upload(database, "gama.a"))
    assert "1 uploads dealt with" in run("work").output
    assert ask(database, f"SELECT count(*) FROM {relation(database, 'gama.a')}") == [(3,)]


async def test_the_desk_starts_a_process_that_publishes(database: Settings) -> None:
    async with open_pool(database) as pool:
        desk = PublisherDesk(database, lambda: pool)
        running = asyncio.create_task(desk.run())
        await upload(database, "gama.a")
        desk.ring()
        async with asyncio.timeout(180):
            while (await states(pool)).get("gama.a", ("",))[0] != "published":  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await desk.close()
        assert [table.name for table in await shelf.all_published(pool)] == ["gama.a"]
