"""The contracts as others hold them: a change that these tests see is a change for every consumer."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from schemas.events import EVENT_TYPES, dump_event, parse_event
from schemas.export import asyncapi, event_name, json_schema, json_schemas
from schemas.topics import TOPIC_OF, TOPICS
from tests.support.events import examples

GOLDEN = Path(__file__).parent / "golden"


def check_golden(name: str, document: object, update: bool) -> None:
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    path = GOLDEN / name
    if update:
        path.write_text(text)
    assert path.exists(), f"no golden file {name}: run pytest --update-golden and read what it wrote"
    assert json.loads(path.read_text()) == json.loads(text), (
        f"{name} differs from its golden file. If the change is meant, raise the event's version where old "
        "consumers would break, and run pytest --update-golden."
    )


@pytest.mark.parametrize("event", EVENT_TYPES, ids=event_name)
def test_schema_of_an_event_is_the_golden_one(event, update_golden):
    check_golden(f"{event_name(event)}.schema.json", json_schema(event), update_golden)


@pytest.mark.parametrize("event", EVENT_TYPES, ids=event_name)
def test_example_of_an_event_travels_unchanged(event, update_golden):
    example = examples()[event.__name__]
    message = dump_event(example)
    check_golden(f"{event_name(event)}.example.json", json.loads(message), update_golden)
    assert parse_event((GOLDEN / f"{event_name(event)}.example.json").read_bytes()) == example
    assert parse_event(message) == example


@pytest.mark.parametrize("event", EVENT_TYPES, ids=event_name)
def test_example_of_an_event_is_valid_by_its_schema(event):
    schema = json_schema(event)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(dump_event(examples()[event.__name__])), schema)


def test_asyncapi_document_is_the_golden_one(update_golden):
    check_golden("asyncapi.json", asyncapi("0.0.0"), update_golden)


def test_references_of_the_asyncapi_document_resolve():
    document = asyncapi("0.0.0")

    def visit(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: object = document
                for part in str(node["$ref"]).removeprefix("#/").split("/"):
                    assert isinstance(target, dict)
                    assert part in target, node["$ref"]
                    target = target[part]
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(document)


def test_every_event_has_one_topic():
    assert set(TOPIC_OF) == set(EVENT_TYPES)
    assert len({spec.name for spec in TOPICS}) == len(TOPICS)
    assert set(json_schemas()) == {event_name(event) for event in EVENT_TYPES}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"version": 2}, "unknown version"),
        ({"event": "frame.departed"}, "unknown event"),
        ({"night": "2026-03-12"}, "night in another form"),
        ({"surprise": 1}, "unknown field"),
    ],
)
def test_what_is_not_in_the_contract_is_refused(change, what):
    document = json.loads(dump_event(examples()["FrameArrived"])) | change
    with pytest.raises(ValueError, match=r"."):
        parse_event(json.dumps(document))


def test_numbers_that_are_no_numbers_are_refused():
    document = dump_event(examples()["FrameArrived"]).replace(b'"exposed":900.0', b'"exposed":NaN')
    with pytest.raises(ValueError, match="exposed"):
        parse_event(document)
