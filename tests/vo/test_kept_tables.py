"""Published tables are saved by the backup, and come back with a rebuilt database."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adql.catalogue import Column
from agents.rebuild.save import save_all, tables_path
from paws.accounts import people
from paws.accounts.audit import COMMAND_LINE
from paws.database import connect
from paws.errors import InvalidInputError
from paws.settings import Settings
from paws.vo.audience import Audience
from paws.vo.publish import shelf
from paws.vo.publish.kept import Decision, KeptTable, decide, kept_files, opened
from paws.vo.publish.load import publish
from paws.vo.publish.restoring import begin_restoring, restore_tables
from paws.vo.publish.saving import RESTORING, save_tables
from paws.vo.tap_schema import put_published
from tests.support.lost import lose
from tests.vo.tables import made_up, wish

HOSTILE = (
    Column(
        'a"b',
        "int",
        unit="km.s-1",
        ucd="spect.dopplerVeloc",
        utype="a.b",
        description="It's \u201cx\u201d\n2",
    ),
    Column("select", "unicodeChar", "*", description='"; DROP TABLE account; --'),
    Column("xmin", "long", ucd="meta.id;meta.main"),
    Column("x'; DROP TABLE account; --", "boolean"),
    Column("{audience} $1", "float"),
    Column("spectrum", "double", "*"),
    Column("flags", "short", "3"),
    Column("where", "double", "2", xtype="point"),
    Column("at", "char", "*", xtype="timestamp"),
    Column("RA", "double", unit="rad", ucd="pos.eq.ra;meta.main"),
    Column("DE", "double", unit="rad", ucd="pos.eq.dec;meta.main"),
)
MOMENT = datetime(2026, 3, 12, 11, 30, 0, 123456)
VALUES: list[tuple[Any, ...]] = [
    (
        1,
        "a\tb\n\\N\u2028\U0001f52d",
        -(2**63),
        True,
        1.5,
        [1.0, None, float("nan")],
        [1, -2, 3],
        [1, 2],
        MOMENT,
        1,
        -1,
    ),
    (None,) * 11,
    (2**31 - 1, "", 7, False, float("inf"), [], [0, 0, 0], [359.5, -90.0], None, 6.2, 0.5),
]
TABLES = "SELECT to_jsonb(t) - '{size_bytes,owner_account}'::text[] AS row FROM tap_schema.tables t WHERE published_by IS NOT NULL ORDER BY table_name"
COLUMNS = "SELECT to_jsonb(c) AS row FROM tap_schema.columns c JOIN tap_schema.tables t USING (table_name) WHERE t.published_by IS NOT NULL ORDER BY table_name, column_index"


@dataclass
class Here:
    """A database, and where its tables are kept."""

    connection: Any
    settings: Settings

    @property
    def folder(self) -> Path:
        return tables_path(self.settings)

    async def contents(self) -> dict[str, Any]:
        """All that TAP_SCHEMA tells of published tables, their owners, rows and indexes."""
        tables = [row["row"] for row in await self.connection.fetch(TABLES)]
        rows = {
            table["table_name"]: sorted(
                [
                    row["row"]
                    for row in await self.connection.fetch(
                        f"SELECT q::text AS row FROM {table['relation']} AS q"
                    )
                ]
            )
            for table in tables
        }
        indexes = await self.connection.fetch(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'published'"
        )
        owners = await self.connection.fetch(
            "SELECT schema_name, a.name FROM tap_schema.schemas JOIN account a ON account_id = owner_account ORDER BY 1"
        )
        columns = [row["row"] for row in await self.connection.fetch(COLUMNS)]
        return {
            "tables": tables,
            "columns": columns,
            "rows": rows,
            # The new database may index positions in the other way.
            "indexes": sorted(row["indexdef"].replace("adql_spoint", "adql_place") for row in indexes),
            "owners": [tuple(row) for row in owners],
        }

    async def save(self, **more: Any) -> Any:
        return await save_tables(self.settings, self.folder, 30, **more)

    async def restore(self) -> Any:
        return await restore_tables(self.settings, self.folder)

    async def new(self) -> Here:
        """An empty database in its place, in which ann has an account with another number."""
        settings = await lose(self.settings)
        connection = await connect(settings)
        for name in ("eve", "ann"):
            await people.add(connection, COMMAND_LINE, name)
        return Here(connection, settings)


@pytest.fixture
async def here(database: Settings) -> AsyncIterator[Here]:
    connection = await connect(database)
    await people.add(connection, COMMAND_LINE, "ann")
    try:
        yield Here(connection, database)
    finally:
        await connection.close()


async def populate(here: Here) -> None:
    """A table for everybody, one of a proposal, one of ann's."""
    ann = await here.connection.fetchval("SELECT account_id FROM account WHERE name = 'ann'")
    for one, source in (
        (wish(description="With all that is hostile"), made_up(HOSTILE, VALUES)),
        (wish("survey.stars", audience=Audience(proposal="A/2026A/008")), made_up()),
        (wish("user_ann.mine", audience=Audience(account=ann)), made_up()),
    ):
        await publish(here.connection, here.settings, one, source)


async def test_tables_come_back_as_they_were_and_once_only(here: Here) -> None:
    await populate(here)
    before = await here.contents()
    assert sum("gist" in text for text in before["indexes"]) == 4
    saved = await here.save()
    assert sorted(saved.written) == ["gama.sources", "survey.stars", "user_ann.mine"]
    assert (saved.problems, saved.former) == ([], [])
    files = kept_files(here.folder)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    moments = [path.stat().st_mtime_ns for path in files]
    again = await here.save()
    assert (again.written, again.kept) == ([], 3)
    assert [path.stat().st_mtime_ns for path in files] == moments

    new = await here.new()
    try:
        done = await new.restore()
        assert (sorted(done.restored), done.left, done.problems) == (sorted(saved.written), {}, [])
        after = await new.contents()
        # Positions in degrees were computed; they are kept as values, which no query can tell.
        assert after == before
        assert await new.connection.fetchval("SELECT count(*) FROM account") == 2
        assert not (new.folder / RESTORING).exists()
        await new.connection.execute("SET ROLE paws_tap")
        assert await new.connection.fetchval(f"SELECT count(*) FROM {after['tables'][0]['relation']}") == 3
        await new.connection.execute("RESET ROLE")
        version = await new.connection.fetchval("SELECT version FROM tap_schema.version")
        second = await new.restore()
        assert (second.restored, set(second.left.values())) == ([], {"it is there already"})
        assert await new.connection.fetchval("SELECT version FROM tap_schema.version") == version
        # What came back is what is kept: nothing is written again.
        third = await new.save()
        assert (third.written, third.kept, third.former) == ([], 3, [])
    finally:
        await new.connection.close()


async def test_former_versions_stay_for_a_while(here: Here) -> None:
    await populate(here)
    await here.save()
    await publish(here.connection, here.settings, wish(replace=True), made_up())
    async with here.connection.transaction():
        assert await shelf.drop(here.connection, COMMAND_LINE, "survey.stars")
    day = datetime(2026, 3, 12, tzinfo=UTC)
    # An empty database that stands there by mistake says nothing of what was.
    assert (await here.save(retire=False)).former == []
    saved = await here.save(clock=lambda: day)
    assert saved.written == []
    assert sorted(name.partition("_")[0] for name in saved.former) == ["gama", "survey"]
    assert {name[-9:] for name in saved.former} == {".20260312"}
    assert len(kept_files(here.folder)) == 2
    assert (await here.save(clock=lambda: day + timedelta(days=30))).removed == []
    gone = await here.save(clock=lambda: day + timedelta(days=31))
    assert sorted(gone.removed) == sorted(saved.former)


async def test_neither_newer_nor_dropped_tables_are_overwritten(here: Here) -> None:
    await populate(here)
    await here.save()
    await publish(here.connection, here.settings, wish(replace=True), made_up())
    async with here.connection.transaction():
        await shelf.drop(here.connection, COMMAND_LINE, "survey.stars")
    # As where the database was a dump that is older than the backup.
    await here.connection.execute(
        "UPDATE tap_schema.tables SET published_at = '2020-01-01Z' WHERE table_name = 'user_ann.mine'"
    )
    done = await here.restore()
    assert done.left == {"gama.sources": "a newer one is there", "survey.stars": "it was dropped since"}
    assert (done.restored, done.problems) == (["user_ann.mine"], [])
    assert len((await here.contents())["rows"]["user_ann.mine"]) == 3


async def test_whoever_is_killed_on_the_way_goes_on_the_next_time(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    await populate(here)
    before = await here.contents()

    async def killed(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("paws.vo.publish.saving._copy", killed)
        with pytest.raises(KeyboardInterrupt):
            await here.save()
    assert list(here.folder.iterdir()) == []
    # What kill -9 leaves is removed when its writer must be dead.
    left = here.folder / ".gama_sources_0123456789ab.table.gz.01234567"
    left.touch()
    os.utime(left, (0, 0))
    assert len((await here.save()).written) == 3
    assert not left.exists()
    new = await here.new()
    try:
        calls: list[Any] = []

        async def killed_at_the_second(*arguments: Any) -> None:
            calls.append(arguments)
            if len(calls) == 2:
                raise KeyboardInterrupt
            await put_published(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr("paws.vo.publish.restoring.put_published", killed_at_the_second)
            with pytest.raises(KeyboardInterrupt):
                await new.restore()
        assert len((await new.contents())["tables"]) == 1
        # A backup in between takes nothing for a former version.
        between = await save_all(new.connection, new.settings)
        assert (between.tables.former, between.tables.kept) == ([], 1)
        assert "interrupted" in between.tables.problems[0]
        done = await new.restore()
        assert (len(done.restored), len(done.left)) == (2, 1)
        assert await new.contents() == before
    finally:
        await new.connection.close()


async def test_files_that_are_damaged_or_foreign_keep_no_other_from_coming_back(here: Here) -> None:
    await populate(here)
    await here.save()
    gama, stars, mine = kept_files(here.folder)
    gama.write_bytes(gama.read_bytes()[:-30])
    head, _, rows = gzip.decompress(stars.read_bytes()).partition(b"\n")
    shorter = KeptTable.model_validate_json(head).model_copy(update={"rows": 99})
    stars.write_bytes(gzip.compress(shorter.model_dump_json().encode() + b"\n" + rows))
    (here.folder / "foreign.table.gz").write_bytes(gzip.compress(b'{"format": "something else"}\n'))
    (here.folder / "plain.table.gz").write_bytes(b"no gzip")
    await here.connection.execute("DELETE FROM account")
    await here.connection.execute("DELETE FROM tap_schema.tables WHERE published_by IS NOT NULL")
    done = await here.restore()
    assert done.restored == []
    told = "\n".join(done.problems)
    for words in (
        "damaged",
        "which says 99",
        "foreign.table.gz",
        "plain.table.gz",
        "ann, who has no account",
    ):
        assert words in told
    assert (await here.contents())["tables"] == []
    await people.add(here.connection, COMMAND_LINE, "ann")
    assert (await here.restore()).restored == ["user_ann.mine"]
    assert mine.exists()


async def test_a_file_cannot_name_what_is_no_type_or_no_position(here: Here) -> None:
    await publish(here.connection, here.settings, wish(), made_up())
    await here.save()
    (path,) = kept_files(here.folder)
    with opened(path) as (kept, rows):
        content = rows.read()
    column = kept.columns[0].model_copy(update={"sql_type": "bigint DEFAULT pg_sleep(9)"})
    changes: tuple[dict[str, Any], ...] = (
        {"columns": (column, *kept.columns[1:])},
        {"positions": ("ra", "nothing")},
        {"proposal": "a'; --"},
        {"name": "tap_schema.tables"},
    )
    for number, change in enumerate(changes):
        document = kept.model_copy(update=change).model_dump_json().encode()
        (here.folder / f"bad{number}.table.gz").write_bytes(gzip.compress(document + b"\n" + content))
    await here.connection.execute("DELETE FROM tap_schema.tables WHERE published_by IS NOT NULL")
    done = await here.restore()
    assert (done.restored, len(done.problems)) == (["gama.sources"], 4)
    with (
        pytest.raises(InvalidInputError, match="cannot be read"),
        opened(path.with_name("none")) as (head, _),
    ):
        pytest.fail(f"opened {head}")


def test_begin_restoring_makes_no_folder(tmp_path: Path) -> None:
    begin_restoring(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_the_decision_tells_its_reason() -> None:
    at = datetime(2026, 3, 12, tzinfo=UTC)
    kept = KeptTable.model_construct(published_at=at)
    before, after = at - timedelta(days=1), at + timedelta(days=1)
    assert asdict(decide(kept, None, None)) == {"restore": True, "reason": "it is not there"}
    assert decide(kept, before, None) == Decision(True, "an older one is there")
    assert decide(kept, at, None) == Decision(False, "it is there already")
    assert decide(kept, after, None) == Decision(False, "a newer one is there")
    assert decide(kept, None, before).restore
    assert decide(kept, None, after) == Decision(False, "it was dropped since")
