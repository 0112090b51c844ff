"""Contracts as documents: JSON Schema of every event, and an AsyncAPI description of the topics."""

from __future__ import annotations

from typing import Any

from schemas.events import EVENT_TYPES, Event
from schemas.topics import TOPICS

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def event_name(event: type[Event]) -> str:
    """Name of an event with its version, such as ``frame.arrived.v1``."""
    return f"{event.model_fields['event'].default}.v{event.model_fields['version'].default}"


def json_schema(event: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of an event as it travels."""
    schema = event.model_json_schema(mode="serialization")
    return {"$schema": _DRAFT, "$id": f"urn:paws-live:event:{event_name(event)}", **schema}


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of every event, by name."""
    return {event_name(event): json_schema(event) for event in EVENT_TYPES}


def asyncapi(version: str) -> dict[str, Any]:
    """AsyncAPI 3.0 document of the topics and what they carry.

    Parameters
    ----------
    version
        Version of the project.
    """
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for spec in TOPICS:
        message = event_name(spec.event)
        channels[spec.name] = {
            "address": spec.name,
            "description": spec.meaning,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            "bindings": {
                "kafka": {
                    "partitions": spec.partitions,
                    "topicConfiguration": {"retention.ms": spec.retention_ms},
                    "bindingVersion": "0.5.0",
                }
            },
        }
        operations[f"publish.{spec.name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{spec.name}"},
            "summary": f"The relay publishes {spec.meaning}.",
        }
        schema = spec.event.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        shared.update(schema.pop("$defs", {}))
        shared[spec.event.__name__] = schema
        messages[message] = {
            "name": message,
            "title": spec.event.__name__,
            "summary": (spec.event.__doc__ or "").strip().splitlines()[0],
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{spec.event.__name__}"},
            "bindings": {
                "kafka": {"key": {"type": "string", "description": spec.key}, "bindingVersion": "0.5.0"}
            },
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PAWS Live",
            "version": version,
            "description": "Events between the agents of PAWS Live. All messages are keyed by night.",
            "license": {"name": "BSD-3-Clause"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(shared.items()))},
    }
