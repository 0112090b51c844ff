"""Errors as answers: a problem document (RFC 9457) for programs, a page for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from paws.database import DATABASE_TROUBLES
from paws.errors import InvalidInputError, PawsError, RetriableError
from paws.log import get_logger
from web.api.models import Problem, ProblemField
from web.files import OutsideError
from web.security import SECURITY_HEADERS
from web.vo.paths import for_programs
from web.vo.problems import ServiceError, error_response

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"
Handler = Callable[[Request, Exception], Awaitable[Response]]


class ProblemError(HTTPException):
    """An error to be told to the client. Raised by handlers."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: list[ProblemField] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(int(status), detail, dict(headers or {}))
        self.errors = errors or []


class NotFoundError(ProblemError):
    """There is no such thing, or no longer."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, detail)


def _problem(error: Exception) -> tuple[Problem, Mapping[str, str]]:
    """What a client is told of an error, with headers."""
    headers: Mapping[str, str] = {}
    errors: list[ProblemField] = []
    if isinstance(error, HTTPException):
        status, detail = HTTPStatus(error.status_code), str(error.detail)
        headers = error.headers or {}
        errors = error.errors if isinstance(error, ProblemError) else []
        if detail == status.phrase:
            detail = status.description
    elif isinstance(error, OutsideError | InvalidInputError):
        status, detail = HTTPStatus.NOT_FOUND, error.message
    elif isinstance(error, (RetriableError, *DATABASE_TROUBLES)):
        status = HTTPStatus.SERVICE_UNAVAILABLE
        detail = "The database does not answer. The page tries again; nothing is lost."
        headers = {"Retry-After": RETRY_AFTER}
    else:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        detail = "Something unexpected went wrong; the server's log has the details."
    return Problem(title=status.phrase, status=int(status), detail=detail, errors=errors), headers


def wants_problem(path: str) -> bool:
    """Whether a path belongs to the interface for programs."""
    return path.startswith("/api") or path in ("/healthz", "/metrics")


def error_handlers(page: Callable[[Request, Problem], Response]) -> dict[Any, Handler]:
    """Handlers for the application.

    Parameters
    ----------
    page
        Makes the error page for people.
    """

    async def handle(request: Request, error: Exception) -> Response:
        problem, headers = _problem(error)
        # What we say on purpose, such as that a download is being prepared, is no failure.
        unforeseen = problem.status >= 500 and not isinstance(error, ProblemError | ServiceError)
        if unforeseen or isinstance(error, OutsideError):
            log.error("request failed", path=request.url.path, error=repr(error), exc_info=error)
        if for_programs(request.url.path):
            # Where access is open, any page that somebody at this machine looks at would read along.
            readable = request.app.state.web.settings.access != "open"
            return error_response(problem.detail, problem.status, headers, readable=readable)
        problem = problem.model_copy(update={"instance": request.url.path[:200]})
        if wants_problem(request.url.path):
            response = Response(problem.model_dump_json(), problem.status, media_type=MEDIA_TYPE)
        else:
            response = page(request, problem)
        response.headers.update({**headers, **SECURITY_HEADERS, "Cache-Control": "no-store"})
        return response

    kinds = (HTTPException, PawsError, *DATABASE_TROUBLES, Exception)
    return dict.fromkeys(kinds, handle)
