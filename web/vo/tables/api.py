"""Tables over HTTP, for programs: list, describe, upload, drop."""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from paws.errors import InvalidInputError
from paws.vo.publish import queue, shelf
from paws.vo.publish.queue import Publication
from paws.vo.publish.shelf import Listed
from paws.vo.publish.wish import LONGEST_DESCRIPTION
from web.accounts.address import address_of
from web.accounts.identify import visitor_of
from web.accounts.visitor import Visitor
from web.api.endpoint import ApiRoute, Asked
from web.api.models import Answer
from web.problems import ProblemError
from web.questions import Question, Text
from web.vo.tables import service
from web.vo.tables.receiving import receive_body, told
from web.vo.tables.service import Audiences

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What a page of another site can send without being asked for first."""


Name = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9_]{0,49}\.)?[A-Za-z][A-Za-z0-9_]{0,49}$")
]
Description = Annotated[
    str, StringConstraints(max_length=LONGEST_DESCRIPTION, pattern=r"^[^\x00-\x08\x0b-\x1f]*$")
]


class TableColumn(Answer):
    """A column of a table."""

    name: str = Field(description="As queries write it: in double quotes where it must be")
    datatype: str = Field(description="VOTable's type")
    arraysize: str | None
    xtype: str | None
    unit: str
    ucd: str
    utype: str
    description: str
    indexed: bool


class TableSummary(Answer):
    """A table that can be queried."""

    name: str
    description: str
    kind: str = Field(description="table or view")
    rows: int | None = Field(description="Absent where the number changes all the time")
    columns: int
    size_bytes: int | None
    seen_by: str
    published_at: datetime | None = Field(description="Absent for PAWS Live's own tables")


class TableDetail(TableSummary):
    """A table with its columns."""

    positions: list[str] = Field(description="Columns with a position index: right ascension and declination")
    warnings: list[str] = Field(description="What was changed or doubtful; for those who may drop the table")
    column_list: list[TableColumn]


class UploadState(Answer):
    """An upload on its way to be a table, or what became of it."""

    upload_id: str
    table: str
    state: str = Field(description="waiting, running, published or failed")
    stage: str
    rows: int
    message: str
    file: str
    asked_at: datetime
    finished_at: datetime | None


class TableList(Answer):
    """Tables, and one's uploads of the last days."""

    items: list[TableSummary]
    uploads: list[UploadState]


class Dropped(Answer):
    """A table that is gone."""

    name: str


class UploadQuestion(Question):
    """What is to become of an uploaded file."""

    name: Name = Field(description="schema.table; of a personal table its last part will do")
    audience: Audiences | None = Field(
        default=None, description="Who sees it: administrators publish for everybody, others for themselves"
    )
    proposal: Text | None = Field(
        default=None, description="Whose members see it, where the audience is proposal"
    )
    description: Description | None = Field(default=None, description="What the table holds")
    replace: bool = Field(default=False, description="Whether it takes the place of a table of that name")
    file: Text | None = Field(default=None, description="Name of the file; its suffix may tell its format")


def summary_of(table: Listed) -> dict[str, object]:
    """What everybody who sees a table is told of it."""
    return {
        "name": table.name,
        "description": table.description,
        "kind": table.kind,
        "rows": table.rows,
        "columns": table.columns,
        "size_bytes": table.size_bytes,
        "seen_by": table.audience.words,
        "published_at": table.published_at,
    }


def _state_of(upload: Publication) -> UploadState:
    return UploadState(
        upload_id=upload.publication_id,
        table=upload.table_name,
        state=upload.state,
        stage=upload.stage,
        rows=upload.rows_done,
        message=upload.message,
        file=upload.told_name,
        asked_at=upload.asked_at,
        finished_at=upload.finished_at,
    )


async def uploads_of(asked: Asked, visitor: Visitor) -> list[Publication]:
    """Uploads that somebody may know of."""
    rights = service.rights_of(visitor, asked.state)
    if not rights.any:
        return []
    return await queue.publications_of(asked.state.pool, visitor.account_id, everybody=rights.for_all)


async def tables(asked: Asked) -> TableList:
    """Tables that can be queried."""
    visitor = visitor_of(asked.request)
    found = await shelf.tables_seen(asked.state.pool, visitor.sight, visitor.account_id)
    return TableList(
        items=[TableSummary.model_validate(summary_of(table)) for table in found],
        uploads=[_state_of(item) for item in await uploads_of(asked, visitor)],
    )


async def table(asked: Asked) -> TableDetail:
    """One table."""
    visitor = visitor_of(asked.request)
    found = await service.table_for(asked.state, asked.path["table"], visitor)
    rows = await shelf.columns_of(asked.state.pool, found.name)
    columns = [
        TableColumn(
            name=row["column_name"],
            indexed=bool(row["indexed"]),
            **{
                name: row[name]
                for name in ("datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")
            },
        )
        for row in rows
    ]
    return TableDetail.model_validate(
        {
            **summary_of(found),
            "positions": list(found.positions),
            "warnings": list(found.warnings) if service.may_drop(visitor, found) else [],
            "column_list": columns,
        }
    )


async def upload(asked: Asked) -> UploadState:
    """Take a file on that is to become a table."""
    state, visitor, ask = asked.state, visitor_of(asked.request), asked.question
    kind = asked.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Send the file itself, with its media type or application/octet-stream; not a form.",
        )
    rights = service.require_publisher(visitor, state)
    sent = {
        "name": ask.name,
        "audience": ask.audience or "",
        "proposal": ask.proposal or "",
        "description": ask.description or "",
        "replace": "yes" if ask.replace else "",
    }
    publication_id, folder = await asyncio.to_thread(queue.new_folder, state.settings)
    try:
        await service.check_room(state, visitor)
        actor = visitor.actor(address_of(asked.request))
        wish = await service.wish_of(state, visitor, rights, sent, told(ask.file), actor)
        largest = service.largest_upload(state, rights)
        if not await receive_body(asked.request, folder / "table", largest):
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "No file was sent: it is the body of the request."
            )
        await service.take_on(state, visitor, wish, publication_id, ask.file or kind, metadata=False)
    except InvalidInputError as error:
        await asyncio.to_thread(queue.remove_folder, state.settings, publication_id)
        raise ProblemError(HTTPStatus.CONFLICT, error.message) from error
    except BaseException:
        await asyncio.to_thread(queue.remove_folder, state.settings, publication_id)
        raise
    found = await queue.publications_of(state.pool, visitor.account_id, everybody=rights.for_all)
    return _state_of(next(item for item in found if item.publication_id == publication_id))


async def drop_table(asked: Asked) -> Dropped:
    """Drop a published table."""
    visitor = visitor_of(asked.request)
    gone = await service.drop(asked.state, asked.path["table"], visitor, address_of(asked.request))
    return Dropped(name=gone.name)


TABLES_API: Final = (
    ApiRoute("/api/tables", "Tables that can be queried, and one's uploads", tables, TableList, tag="tables"),
    ApiRoute(
        "/api/tables",
        "Upload a file that is to become a table: VOTable, FITS, CSV, TSV or Parquet",
        upload,
        UploadState,
        UploadQuestion,
        "tables",
        method="POST",
        file="The table: VOTable, FITS, CSV, TSV or Parquet, packed by gzip or not",
    ),
    ApiRoute("/api/tables/{table}", "A table with its columns", table, TableDetail, tag="tables"),
    ApiRoute(
        "/api/tables/{table}/drop", "Drop a published table", drop_table, Dropped, tag="tables", method="POST"
    ),
)
