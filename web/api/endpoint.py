"""From an HTTP request to a checked question, and from an answer to bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paws.access.rule import Sight
from paws.clock import night_date
from web.accounts.identify import visitor_of
from web.api.models import ProblemField
from web.bodies import whole
from web.problems import NotFoundError, ProblemError
from web.questions import NoQuestion, Question
from web.security import same_origin
from web.state import WebState, web_state

PATH_PATTERNS: Final = {
    "night": r"^[0-9]{8}$",
    "frame_id": r"^[^\x00-\x1f/]{1,200}$",
    "product_id": r"^[^\x00-\x1f/]{1,200}$",
    "job_key": r"^[0-9a-f]{64}$",
    "fibre": r"^[1-9][0-9]{0,4}$",
    "request_id": r"^[0-9a-f]{16}$",
    "format": r"^(fits|ecsv|txt|vot)$",
    "table": r"^[A-Za-z][A-Za-z0-9_]{0,49}\.[A-Za-z][A-Za-z0-9_]{0,49}$",
    "part": r"^(archive\.tar|archive\.zip|SHA256SUMS|B3SUMS|download\.sh|file)$",
}
"""What identifiers in paths look like. Anything else is not found."""

LARGEST_BODY: Final = 2_000_000
"""Bytes of JSON that are read."""

QuestionT = TypeVar("QuestionT", bound=Question)


@dataclass(frozen=True)
class Asked:
    """A checked request: the process's state, the question, identifiers from the path, the request itself, its body."""

    state: WebState
    question: Any
    path: dict[str, str]
    request: Request
    body: Any = None

    @property
    def sight(self) -> Sight:
        """What the visitor may see."""
        return visitor_of(self.request).sight


Handle = Callable[[Asked], Awaitable[BaseModel | Response]]


@dataclass(frozen=True, eq=False)
class ApiRoute:
    """One route of the interface, with all that its documentation needs.

    Attributes
    ----------
    answer
        Class of the answer; None for `media_type` other than JSON.
    other_types
        Further media types of the answer, which the path chooses among.
    statuses
        Further statuses with the same answer, with their meaning.
    method
        ``POST`` for what changes something.
    body
        Class of what is sent, as JSON; None where nothing is.
    file
        What file is sent instead, in words; the handler reads it.
    """

    path: str
    summary: str
    handle: Handle
    answer: type[BaseModel] | None
    question: type[Question] = NoQuestion
    tag: str = "night"
    media_type: str = "application/json"
    other_types: tuple[str, ...] = ()
    statuses: dict[int, str] = field(default_factory=dict)
    method: Literal["GET", "POST"] = "GET"
    body: type[BaseModel] | None = None
    file: str = ""
    in_path: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "in_path", tuple(re.findall(r"{(\w+)}", self.path)))


def as_routes(table: Sequence[ApiRoute]) -> list[Route]:
    """Routes as Starlette wants them: one a path, so that a wrong method is told all that there are."""
    by_path: dict[str, dict[str, ApiRoute]] = {}
    for route in table:
        by_path.setdefault(route.path, {})[route.method] = route
    return [_as_route(path, methods) for path, methods in by_path.items()]


def _as_route(path: str, methods: Mapping[str, ApiRoute]) -> Route:
    async def endpoint(request: Request) -> Response:
        return await answer(methods["GET" if request.method == "HEAD" else request.method], request)

    return Route(path, endpoint, methods=list(methods), name=f"api:{path}")


def parse(kind: type[QuestionT], request: Request, *, form: bool = True) -> QuestionT:
    """Question in a request's query.

    Parameters
    ----------
    form
        Whether a form may have asked: it sends its empty fields too, which then count as absent.

    Raises
    ------
    ProblemError
        422, naming each parameter that is wrong.
    """
    items = request.query_params.multi_items()
    if form:
        items = [(name, value) for name, value in items if value]
    lists = kind.repeated()
    values: dict[str, Any] = dict(items)
    wrong = [
        ProblemField(name=name[:60], detail="given more than once")
        for name, number in Counter(name for name, _value in items).items()
        if number > 1 and name not in lists
    ]
    values |= {name: tuple(value for item, value in items if item == name) for name in lists & values.keys()}
    try:
        question = kind.model_validate(values)
    except ValidationError as error:
        wrong += [
            ProblemField(name=".".join(map(str, item["loc"]))[:60], detail=_plain(item))
            for item in error.errors(include_url=False, include_context=False)
        ]
        raise _wrong(wrong) from error
    if wrong:
        raise _wrong(wrong)
    return question


def _plain(item: Any) -> str:
    return "there is no such parameter" if item["type"] == "extra_forbidden" else str(item["msg"])


def _wrong(fields: list[ProblemField]) -> ProblemError:
    named = ", ".join(f"{item.name} ({item.detail})" for item in fields[:5])
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"Parameters are wrong: {named}.", fields)


def path_values(request: Request) -> dict[str, str]:
    """Identifiers in a request's path.

    Raises
    ------
    NotFoundError
        If one does not look like what it names.
    """
    values = {name: str(value) for name, value in request.path_params.items()}
    for name, value in values.items():
        if not re.match(PATH_PATTERNS[name], value) or (name == "night" and not _is_date(value)):
            raise NotFoundError(f"There is no {name.replace('_', ' ')} of that form.")
    return values


def _is_date(night: str) -> bool:
    try:
        night_date(night)
    except ValueError:
        return False
    return True


async def read_body(kind: type[BaseModel], request: Request) -> BaseModel:
    """What was sent as JSON.

    Raises
    ------
    ProblemError
        415 if it is of another kind; 422 naming each field that is wrong.
    BodyError
        413 or 408 if it is too large, or stops.
    """
    # A form of another site cannot send this kind without being asked for first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
    sent = await whole(request, LARGEST_BODY)
    try:
        return kind.model_validate_json(sent)
    except ValidationError as error:
        raise _wrong(
            [
                ProblemField(name=".".join(map(str, item["loc"]))[:60], detail=_plain(item)[:200])
                for item in error.errors(include_url=False, include_context=False, include_input=False)[:20]
            ]
        ) from error


async def answer(route: ApiRoute, request: Request) -> Response:
    """Check a request, let it be handled, write the answer."""
    if request.method == "POST" and not same_origin(request.headers):
        raise ProblemError(HTTPStatus.FORBIDDEN, "A page of another site may not ask for that.")
    question, path = parse(route.question, request, form=False), path_values(request)
    body = None if route.body is None else await read_body(route.body, request)
    asked = Asked(web_state(request), question, path, request, body)
    result = await route.handle(asked)
    if isinstance(result, Response):
        return result
    return Response(
        result.model_dump_json(), media_type=route.media_type, headers={"Cache-Control": "no-cache"}
    )


def not_modified(request: Request, etag: str) -> bool:
    """Whether the client has the version of this tag already."""
    given = request.headers.get("if-none-match", "")
    return any(tag.strip().removeprefix("W/") == etag for tag in given.split(","))
