"""What the database says of a query, in words for whoever asked. Its own texts never leave: they may quote rows."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import asyncpg

from adql.errors import AdqlError
from paws.database import DATABASE_TROUBLES
from paws.errors import InvalidInputError
from paws.log import get_logger
from web.vo.problems import BadRequestError, ServiceError

log = get_logger(__name__)

_BY_STATE: Final = {
    "22012": "The query divides by zero. Exclude such rows, or write CASE or NULLIF around the divisor.",
    "22003": (
        "A number in the query is too large for its type, as sums and products of whole numbers may be: they are no wider "
        "than what they are made of. Widen it before the calculation: CAST(x AS DOUBLE PRECISION)."
    ),
    "2201E": "The query takes a logarithm of a number that has none.",
    "2201F": "The query raises a number to a power that has no result.",
    "22P02": "A text in the query cannot be read as the type that it is compared with or cast to.",
    "22007": "A text in the query cannot be read as a moment.",
    "22008": "A moment in the query is out of range.",
    "22025": "A pattern of LIKE ends with its escape character.",
    "54000": "A value of the query becomes too large: a text that is joined to itself, or a list of everything.",
    "54001": "The query is nested too deeply. Upload long lists as a table and join it.",
    "54011": "The query has too many columns.",
    "54023": "The query gives a function too many arguments.",
    "21000": "A subquery that stands for one value has several rows. Use IN, or an aggregate.",
}
_ROOM: Final = (
    "The query needs more room for sorting and joining than there is. Ask for fewer rows or columns, or "
    "join through an indexed column or positions."
)


class QueryTimeoutError(ServiceError):
    """A query took longer than it may."""

    def __init__(self, seconds: float, *, synchronous: bool) -> None:
        advice = (
            "Send it to /tap/async, where it may take longer, or narrow it down."
            if synchronous
            else "Set EXECUTIONDURATION, or narrow the query down."
        )
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"The query took longer than {seconds:.0f} s and was ended. {advice}",
        )


def explained(error: Exception, seconds: float, *, synchronous: bool) -> ServiceError | None:
    """An error of a query as it is told; None for what is no error of a query.

    Parameters
    ----------
    seconds
        That it was allowed.
    """
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, AdqlError):
        return BadRequestError(_sentence(str(error)))
    if isinstance(error, InvalidInputError):
        return BadRequestError(error.message)
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return QueryTimeoutError(seconds, synchronous=synchronous)
    if isinstance(error, asyncpg.PostgresError):
        return _of_state(error)
    if isinstance(error, DATABASE_TROUBLES):
        log.error("a query found no database", error=repr(error))
        return ServiceError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database does not answer. Try again in a moment.",
            {"Retry-After": "5"},
        )
    return None


def _of_state(error: asyncpg.PostgresError) -> ServiceError:
    state = getattr(error, "sqlstate", None) or ""
    if state in _BY_STATE:
        return BadRequestError(_BY_STATE[state])
    if state.startswith("22"):
        return BadRequestError("A value in the query does not fit what is done with it.")
    if state.startswith("53") and state != "53300":
        return BadRequestError(_ROOM)
    if state.startswith(("57", "08", "53")):
        log.error("a query broke off", sqlstate=state, error=repr(error))
        return ServiceError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database ended the query. Try again in a moment.",
            {"Retry-After": "5"},
        )
    # Our translation is at fault, not whoever asked.
    log.error("a query was not understood by the database", sqlstate=state, error=repr(error))
    return ServiceError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The query could not be carried out, which is a fault of this service; its log has the details.",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
