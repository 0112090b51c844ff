"""What people set up and did: accounts, groups, tokens, links, periods, orders, requests, goals, and the audit of it.

No file but this one has it. It is one compressed file of JSON lines, ``["table", {row}]`` after a first line that
says what it is. Only its owner may read it: hashes of passwords and tokens are in it, and the keys that sign webhooks.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from paws.database import Connection
from paws.errors import InvalidInputError
from paws.settings import Settings

KEPT: Final = (
    "account",
    "proposal",
    "membership",
    "api_token",
    "share_link",
    "proprietary_period",
    "access_policy",
    "observer_order",
    "observer_order_frame",
    "frame_parameters",
    "observing_goal",
    "request",
    "request_frame",
    "request_part",
    "request_event",
    "webhook_delivery",
    "audit",
)
"""Tables that are kept, each after those that it names."""

SEEDED: Final = frozenset({"access_policy", "observing_goal"})
"""Those in which a new database has rows already."""

MADE_ANEW: Final = frozenset(
    {
        *("frame", "rejected_file", "frame_plan", "slot", "reduction", "reduction_frame"),
        *("product", "product_frame", "spectrum", "observing_log", "file_digest"),
        *("product_spectra", "fibre_table", "fibre", "vo_identity"),
    }
)
"""Tables that raw files and products give back; what people marked in them is in `agents.rebuild.marks`."""

PASSING: Final = frozenset(
    {
        # People sign in again; letters to one person may hold a secret; the others are in the marks.
        *("web_session", "password_reset", "oidc_sign_in", "attempt", "notification"),
        # News of the day.
        *("outbox", "status_event", "relay_state", "runner_presence"),
        # Queries and uploads that were under way: sent again by whoever wants them.
        *("tap_job", "tap_publication"),
    }
)
"""Tables whose loss nobody misses for long."""

FORMAT: Final = "PAWS Live people 1"
BATCH = 500
_OWNER_ONLY = 0o600

_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = ANY($1::text[]) AND is_generated = 'NEVER'
"""
_KEYS = """
SELECT t.relname AS table, array_agg(a.attname::text) AS columns
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(i.indkey)
WHERE i.indisprimary AND t.relnamespace = current_schema()::regnamespace AND t.relname = ANY($1::text[])
GROUP BY t.relname
"""


@dataclass
class Restored:
    """What came back.

    Attributes
    ----------
    rows
        Number of rows by table.
    in_the_way
        Rows of the backup whose place another row has; they were left out.
    """

    rows: dict[str, int] = field(default_factory=dict)
    in_the_way: int = 0

    @property
    def total(self) -> int:
        """Rows in all."""
        return sum(self.rows.values())


def people_path(settings: Settings) -> Path:
    """Where the file is kept."""
    return settings.data_dir / "backup" / "people.jsonl.gz"


async def save_people(connection: Connection, path: Path) -> int:
    """Write the file in one step, durably, as of one moment.

    Returns
    -------
    int
        Number of rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    count = 0
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as stream:
            with gzip.GzipFile(fileobj=stream, mode="wb") as packed:
                packed.write(json.dumps(FORMAT).encode() + b"\n")
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    for table in KEPT:
                        async for row in connection.cursor(f"SELECT to_jsonb(t)::text AS row FROM {table} t"):  # noqa: S608 - constant
                            packed.write(f'["{table}", {row["row"]}]\n'.encode())
                            count += 1
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_people(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of the file, table by table.

    Raises
    ------
    InvalidInputError
        If it is not there, or is damaged.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            if json.loads(next(lines, "null")) != FORMAT:
                raise InvalidInputError(f"{path} is no backup of people that this version knows.")
            for line in lines:
                table, row = json.loads(line)
                if table not in KEPT or not isinstance(row, dict):
                    raise InvalidInputError(
                        f"{path} holds rows of {table!r}, which this version does not know."
                    )
                yield table, row
    except FileNotFoundError:
        raise InvalidInputError(
            f"There is no backup of people at {path}. Name a copy with --people, or rebuild without it "
            "(--without-people): accounts, groups, tokens, links and orders are then lost."
        ) from None
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {str(error)[:300]}.") from error


def has_people(path: Path) -> bool:
    """Whether a file, if there is one that can be read, tells of anybody's work: more than what a new database has."""
    with contextlib.suppress(InvalidInputError):
        return any(table not in SEEDED for table, _ in read_people(path))
    return False


async def restore_people(connection: Connection, path: Path) -> Restored:
    """Bring back what the file has, all of it or nothing. What is in the database already stays.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, or other people have accounts in the database.
    """
    restored = Restored()
    async with connection.transaction():
        await _refuse_strangers(connection, path)
        fresh = await is_fresh(connection)
        columns: dict[str, set[str]] = {table: set() for table in KEPT}
        for row in await connection.fetch(_COLUMNS, list(KEPT)):
            columns[row["table_name"]].add(row["column_name"])
        keys = {row["table"]: row["columns"] for row in await connection.fetch(_KEYS, list(KEPT))}
        for table, rows in groupby(read_people(path), key=lambda item: item[0]):
            replacing = fresh and table in SEEDED
            for batch in _batches(row for _, row in rows):
                named = sorted(columns[table] & batch[0].keys())
                done = await connection.execute(
                    _insertion(table, named, keys[table] if replacing else []), batch
                )
                written = int(done.split()[-1])
                restored.rows[table] = restored.rows.get(table, 0) + written
                restored.in_the_way += len(batch) - written if fresh else 0
        await _go_on_counting(connection)
    return restored


async def _refuse_strangers(connection: Connection, path: Path) -> None:
    """Numbers name people in what is restored: they must name the same ones."""
    there = {
        row["account_id"]: row["name"]
        for row in await connection.fetch("SELECT account_id, name FROM account")
    }
    if not there:
        return
    saved = {row["account_id"]: row["name"] for table, row in read_people(path) if table == "account"}
    names = set(saved.values())
    strangers = sorted(
        name
        for number, name in there.items()
        if saved.get(number) != name and (number in saved or name in names)
    )
    if strangers:
        raise InvalidInputError(
            f"The database has accounts that are not those of {path}: {', '.join(strangers[:5])}. Restore into an empty "
            "database, or rebuild without people (--without-people)."
        )


async def is_fresh(connection: Connection) -> bool:
    """Whether nobody has done anything here yet."""
    for table in KEPT:
        if table not in SEEDED and await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):  # noqa: S608 - constant
            return False
    return True


def _insertion(table: str, columns: list[str], replacing: list[str]) -> str:
    """Statement that inserts rows given as JSON; `replacing` is the key over which it replaces what is there."""
    names = ", ".join(f'"{name}"' for name in columns)
    action = "NOTHING"
    if replacing:
        updates = ", ".join(f'"{name}" = excluded."{name}"' for name in columns)
        action = f"UPDATE SET {updates}"
    target = f"({', '.join(replacing)}) " if replacing else ""
    return (
        f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE "  # noqa: S608 - constants and the table's own columns
        f"SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, $1) ON CONFLICT {target}DO {action}"
    )


async def _go_on_counting(connection: Connection) -> None:
    """Let new rows get numbers after those that came back."""
    rows = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_identity = 'YES' AND table_name = ANY($1::text[])",
        list(KEPT),
    )
    for table, column in rows:
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"  # noqa: S608 - the table's own column
            f' greatest((SELECT max("{column}") FROM {table}), 1), (SELECT EXISTS (SELECT FROM {table})))'
        )


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        if len(batch) == BATCH or (batch and row.keys() != batch[0].keys()):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
