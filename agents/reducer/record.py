"""The record of a reduction, laid beside its products: the store tells all that the database knows of them.

It is written before the products are registered, under a name that says so, and gets its final name after. So the
store is never behind the database, and what was stored without being registered is told apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from paws.errors import InvalidInputError
from schemas.frames import Checksum, Model
from schemas.reductions import Reduction
from schemas.vocabulary import ProductKind

RECORD = "record.json"
PENDING = ".record.json.pending"


class RecordedProduct(Model):
    """A stored product as it is registered; paths are relative to the products folder and to the data folder."""

    kind: ProductKind
    path: str
    stored_path: str
    checksum: Checksum
    size_bytes: int
    quality: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)


class RecordedInput(Model):
    """What the level of a product depends on in a product that was read."""

    level: int | None = None
    provisional: bool = False


class Record(Model):
    """A reduction that succeeded, complete enough to register it again."""

    reduction: Reduction
    attempt: int
    tries: int
    priority: int
    inputs: tuple[RecordedInput, ...] = ()
    products: tuple[RecordedProduct, ...]
    log_path: str
    requested_at: datetime
    queued_at: datetime
    started_at: datetime
    engine_started_at: datetime
    engine_finished_at: datetime
    registered_at: datetime


class UnreadableRecordError(InvalidInputError):
    """A record cannot be read: the store was damaged, or belongs to another version."""

    code = "unreadable_record"


def write_record(folder: Path, record: Record) -> None:
    """Lay a record into the folder of an attempt, as pending.

    The disk is not waited for: a record that a loss of power takes away means that, should the database be lost as
    well, its frames are reduced again.
    """
    temporary = folder / f"{PENDING}.new"
    temporary.write_text(record.model_dump_json(), encoding="utf-8")
    temporary.replace(folder / PENDING)


def confirm_record(folder: Path) -> None:
    """Give a pending record its final name: its products are registered. Done twice, it is done once."""
    with contextlib.suppress(FileNotFoundError):
        (folder / PENDING).replace(folder / RECORD)


def unconfirm_records(home: Path) -> None:
    """Take back what `confirm_record` did for every attempt of a reduction: it is about to be forgotten."""
    for path in sorted(home.glob(f"*/{RECORD}")):
        path.replace(path.with_name(PENDING))


def read_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    UnreadableRecordError
        If it is none.
    """
    try:
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UnreadableRecordError(
            f"{path} is no record of a reduction: {str(error)[:200]}. Its frames are reduced again.",
            path=str(path),
        ) from error


def find_records(versions_dir: Path) -> Iterator[Path]:
    """Records in the store that count, in the order of their folders.

    A pending one counts when its reduction has no confirmed one of the same or a later attempt: its products are
    whole, and its runner died between registering them and saying so, or just before.
    """
    for home in sorted(versions_dir.glob("??/*")):
        with contextlib.suppress(NotADirectoryError):
            yield from counting(home)


def counting(home: Path) -> list[Path]:
    """Records that count among the attempts of one reduction."""
    attempts = sorted((int(folder.name), folder) for folder in home.iterdir() if folder.name.isdigit())
    confirmed = [(number, folder / RECORD) for number, folder in attempts if (folder / RECORD).is_file()]
    last = max((number for number, _ in confirmed), default=0)
    pending = [
        folder / PENDING for number, folder in attempts if number > last and (folder / PENDING).is_file()
    ]
    return [path for _, path in confirmed] + pending[-1:]


def recorded(products: Iterable[Any]) -> tuple[RecordedProduct, ...]:
    """Products as `agents.reducer.runner.keep.keep` gives them, for a record."""
    return tuple(
        RecordedProduct(
            kind=item.kind,
            path=str(item.path),
            stored_path=str(item.stored_path),
            checksum=item.checksum,
            size_bytes=item.size_bytes,
            quality=item.quality,
            provenance=item.provenance,
        )
        for item in products
    )
