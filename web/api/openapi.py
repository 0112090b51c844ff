"""The OpenAPI 3.1 document, made from the table of routes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.api.endpoint import PATH_PATTERNS, ApiRoute
from web.api.models import Problem

_WITHOUT_BODY: Final = (304, 416)
_PROBLEMS: Final = (404, 429)
_REF: Final = "#/components/schemas/{model}"
_PATH_MEANING: Final = {
    "night": "YYYYMMDD, the civil date at the site when the night began",
    "frame_id": "Identifier of a frame",
    "product_id": "Identifier of a version of a product",
    "job_key": "Key of a reduction",
    "fibre": "Row of the product, from 1",
    "request_id": "Identifier of a request",
    "format": "Format of the file",
    "part": "Which part of the download",
    "table": "Full name of a table, such as ivoa.obscore",
}


@lru_cache(maxsize=4)
def openapi_text(routes: tuple[ApiRoute, ...]) -> str:
    """The document as JSON."""
    return json.dumps(openapi(routes), indent=1)


def openapi(routes: Sequence[ApiRoute]) -> dict[str, Any]:
    """The document of a table of routes."""
    answers: list[type[BaseModel]] = [route.answer for route in routes if route.answer is not None]
    distinct: list[type[BaseModel]] = list(dict.fromkeys([*answers, Problem]))
    bodies = list(dict.fromkeys(route.body for route in routes if route.body is not None))
    kinds: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((answer, "serialization") for answer in distinct),
        *((body, "validation") for body in bodies),
    ]
    references, definitions = models_json_schema(kinds, ref_template=_REF)
    schema_of = {answer: schema for (answer, _mode), schema in references.items()}
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PAWS Live",
            "version": version("paws-live"),
            "description": "Raw 2dF+AAOmega frames and what became of them. The live feed is the websocket "
            "`/ws/status?night=YYYYMMDD&since=SEQ`: a `snapshot` (as `/api/status`) or the missed events, "
            "then a `delta` for each status event, a `heartbeat` in quiet times, and `resync` followed by a "
            "`snapshot` for a client that reads too slowly or whose rights change. Who sees a part of the data is told "
            "numbers of their own, from each snapshot on.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of one's account page. Without one, what is public is answered.",
                }
            },
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: ApiRoute, schema_of: dict[Any, Any]) -> dict[str, Any]:
    problem = {"content": {"application/problem+json": {"schema": schema_of[Problem]}}}
    content: dict[str, Any] = (
        {route.media_type: {"schema": schema_of[route.answer]}}
        if route.answer is not None
        else {kind: {"schema": {"type": "string"}} for kind in (route.media_type, *route.other_types)}
    )
    responses: dict[str, Any] = {"200": {"description": "The answer", "content": content}}
    for status, meaning in route.statuses.items():
        told = problem if status in _PROBLEMS else {} if status in _WITHOUT_BODY else {"content": content}
        responses[str(status)] = {"description": meaning, **told}
    responses.setdefault("503", {"description": "The database does not answer", **problem})
    responses["401"] = {"description": "The token is not valid", **problem}
    responses["403"] = {"description": "That is not for whoever asks", **problem}
    responses["422"] = {"description": "A parameter is wrong or unknown", **problem}
    if route.in_path:
        responses["404"] = {"description": "There is no such thing", **problem}
    sent: dict[str, Any] = {}
    if route.body is not None:
        sent["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[route.body]}},
        }
        responses["408"] = {"description": "What was sent stopped on the way", **problem}
        responses["413"] = {"description": "Too much was sent", **problem}
        responses["415"] = {"description": "What was sent is no JSON", **problem}
    if route.file:
        schema = {"type": "string", "format": "binary", "description": route.file}
        sent["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": schema}}}
        responses["408"] = {"description": "The file stopped on the way", **problem}
        responses["413"] = {"description": "Too much was sent", **problem}
        responses["415"] = {"description": "What was sent is a form", **problem}
    if route.method == "POST":
        responses["409"] = {"description": "That cannot be done as things stand", **problem}
    return {
        **sent,
        "operationId": route.handle.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": responses,
    }


def _parameters(route: ApiRoute) -> list[dict[str, Any]]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_MEANING[name],
            "schema": {"type": "string", "pattern": PATH_PATTERNS[name]},
        }
        for name in route.in_path
    ]
    schema = route.question.model_json_schema()
    shared = schema.get("$defs", {})
    in_query = [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.get("description", name.replace("_", " ")),
            "schema": _query_schema(field, shared),
        }
        for name, field in schema.get("properties", {}).items()
    ]
    return in_path + in_query


def _query_schema(field: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Schema of a query parameter: a query has no null, and refers to nothing."""
    choices = [item for item in field.get("anyOf", [field]) if item.get("type") != "null"]
    (chosen,) = choices
    if "$ref" in chosen:
        chosen = shared[chosen["$ref"].rsplit("/", 1)[-1]]
    kept = {name: value for name, value in chosen.items() if name not in ("title", "description")}
    default = field.get("default")
    return kept if default is None else {**kept, "default": default}
