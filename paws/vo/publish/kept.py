"""The file that keeps one version of a published table: a head of JSON, then its rows as PostgreSQL copies them.

Both are packed by gzip. The name of the file is that of the version's rows, which no other version ever has, so
what is there already need not be written again.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from adql.catalogue import Column
from adql.postgres.literals import SQL_TYPES
from paws.errors import InvalidInputError
from paws.vo.names import quoted
from paws.vo.publish.plan import MOST_COLUMNS, StoredColumn
from schemas.frames import Model

FORMAT: Final = "PAWS Live table 1"
SUFFIX: Final = ".table.gz"
_LONGEST_HEAD: Final = 64_000_000
_SINGLE: Final = (*SQL_TYPES.values(), "text", "timestamp")
_TYPES: Final = frozenset({*_SINGLE, *(f"{kind}[]" for kind in _SINGLE)})
"""Types that published tables are stored in; a file that names another was not written by us."""

Stored = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")]


class KeptColumn(Model):
    """A column, with all that queries are told of it.

    Attributes
    ----------
    stored
        Its name in the table that holds the rows.
    sql_type
        Its type there.
    """

    name: str
    datatype: str
    arraysize: str | None
    xtype: str | None
    unit: str | None
    ucd: str | None
    utype: str | None
    description: str
    principal: bool
    indexed: bool
    std: bool
    stored: str
    sql_type: str

    def as_stored(self) -> StoredColumn:
        """The column of a plan.

        Raises
        ------
        InvalidInputError
            If no published table has such a column.
        """
        if self.sql_type not in _TYPES:
            raise InvalidInputError(
                f"Column {self.name[:80]!r} has the type {self.sql_type[:80]!r}, which no table is stored in."
            )
        told = self.model_dump(exclude={"stored", "sql_type"})
        sql = quoted(self.stored)
        return StoredColumn(
            Column(**told, sql=None if self.stored == self.name else sql), self.stored, self.sql_type
        )


class KeptTable(Model):
    """All that is known of a published table but its rows.

    Attributes
    ----------
    name
        Full name, as queries write it.
    stored
        What its rows are called in the database.
    owner
        Name of the account whose personal table it is.
    positions
        Published names of the columns that are indexed as positions: right ascension, declination; or none.
    """

    format: Literal["PAWS Live table 1"] = FORMAT
    name: str
    stored: Stored
    description: str
    utype: str | None
    owner: str | None
    proposal: str | None
    positions: tuple[()] | tuple[str, str]
    rows: Annotated[int, Field(ge=0)]
    warnings: tuple[str, ...]
    source: str
    published_by: str
    published_at: datetime
    columns: Annotated[tuple[KeptColumn, ...], Field(min_length=1, max_length=MOST_COLUMNS)]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a kept table is brought back, and why, or why not."""

    restore: bool
    reason: str


def decide(kept: KeptTable, there: datetime | None, dropped: datetime | None) -> Decision:
    """Whether a kept table is brought back.

    Parameters
    ----------
    there
        When the table that has its name was published; None if none has.
    dropped
        When a table of its name was dropped last; None if none was.
    """
    if there is not None and there >= kept.published_at:
        return Decision(
            False, "it is there already" if there == kept.published_at else "a newer one is there"
        )
    if dropped is not None and dropped >= kept.published_at:
        return Decision(False, "it was dropped since")
    return Decision(True, "it is not there" if there is None else "an older one is there")


def kept_path(folder: Path, stored: str) -> Path:
    """Where a version is kept."""
    return folder / f"{stored}{SUFFIX}"


def kept_files(folder: Path) -> list[Path]:
    """Files of the versions that were published when the backup was written last; others have a date or a dot."""
    pattern = re.compile(rf"[a-z0-9_]{{1,63}}{re.escape(SUFFIX)}")
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if pattern.fullmatch(path.name))


@contextmanager
def opened(path: Path) -> Iterator[tuple[KeptTable, gzip.GzipFile]]:
    """A kept table: its head, and its rows to be read.

    Raises
    ------
    InvalidInputError
        If the file is damaged or was written by something else; also while rows are read within the block.
    """
    try:
        with gzip.open(path, "rb") as stream:
            head = stream.readline(_LONGEST_HEAD)
            yield KeptTable.model_validate_json(head), stream
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise InvalidInputError(
            f"{path} is no table that this version knows: {where} {problem['msg']}"[:500]
        ) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error, struct.error) as error:
        raise InvalidInputError(f"{path} is damaged: {str(error)[:300]}") from error
