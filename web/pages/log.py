"""The observing log, as a page and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from web.accounts.identify import visitor_of
from web.api.endpoint import parse, path_values
from web.api.models import LogEntry
from web.pages.render import page
from web.questions import NoQuestion
from web.state import web_state
from web.storage import frames as frame_store

COLUMNS: Final = tuple(name for name in LogEntry.model_fields if name != "frame_id")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(value: object) -> object:
    """Cell of a CSV file. Text that a spreadsheet would run as a formula is marked as text."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def csv_text(entries: Iterable[LogEntry]) -> str:
    """Observing log as CSV, with a line of column names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in entries:
        values = entry.model_dump(mode="json")
        writer.writerow([csv_cell(values[name]) for name in COLUMNS])
    return out.getvalue()


async def _entries(request: Request) -> tuple[str, list[LogEntry]]:
    parse(NoQuestion, request)
    night = path_values(request)["night"]
    rows = await frame_store.observing_log(web_state(request).pool, night, visitor_of(request).sight)
    return night, [LogEntry.model_validate(row) for row in rows]


async def log(request: Request) -> Response:
    """The observing log of a night."""
    night, entries = await _entries(request)
    return page(request, "log.html", night=night, entries=entries)


async def log_csv(request: Request) -> Response:
    """The observing log of a night as CSV."""
    night, entries = await _entries(request)
    return Response(
        csv_text(entries),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="observing-log-{night}.csv"',
            "Cache-Control": "no-cache",
        },
    )
