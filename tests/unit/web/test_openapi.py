from __future__ import annotations

from jsonschema import Draft202012Validator

from schemas.vocabulary import FrameState
from web.api.openapi import openapi
from web.api.table import API, api_routes


def test_every_route_is_documented() -> None:
    document = openapi(API)
    served = {route.path for route in api_routes()} - {"/api/openapi.json"}

    assert set(document["paths"]) == served


def test_document_refers_to_nothing_missing() -> None:
    document = openapi(API)
    missing = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                name = reference.removeprefix("#/components/schemas/")
                if name not in document["components"]["schemas"]:
                    missing.append(reference)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert not missing
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_distinct_names_and_errors() -> None:
    document = openapi(API)
    operations = [operation for item in document["paths"].values() for operation in item.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all("422" in operation["responses"] for operation in operations)


def test_parameters_are_bounded() -> None:
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in openapi(API)["paths"]["/api/frames"]["get"]["parameters"]
    }

    assert parameters["state"]["enum"] == list(FrameState)
    assert parameters["limit"]["maximum"] == 1000
    assert parameters["q"]["maxLength"] == 120
