"""``paws contracts``: the events as JSON Schema and AsyncAPI."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def contracts(out: Path) -> None:
    """Write the contracts of all events into the folder OUT.

    One JSON Schema an event, and `asyncapi.json`, which describes the topics.
    """
    from importlib.metadata import version

    from schemas.export import asyncapi, json_schemas

    out.mkdir(parents=True, exist_ok=True)
    documents = {f"{name}.schema.json": schema for name, schema in json_schemas().items()}
    documents["asyncapi.json"] = asyncapi(version("paws-live"))
    for name, document in documents.items():
        (out / name).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
        click.echo(out / name)


def reference_page() -> str:
    """Reference page of the topics and their events, in Markdown."""
    from schemas.export import event_name
    from schemas.topics import TOPICS

    lines = [
        "# Events and topics",
        "",
        "All messages are JSON, keyed by night, and published at least once by the relay. `paws contracts DIR` writes",
        "the JSON Schema of every event and an AsyncAPI document of the topics.",
        "",
        "| topic | event | partitions | kept, days | carries |",
        "|---|---|---|---|---|",
    ]
    for spec in TOPICS:
        days = spec.retention_ms // (24 * 3600 * 1000)
        lines.append(
            f"| `{spec.name}` | `{event_name(spec.event)}` | {spec.partitions} | {days} | {spec.meaning} |"
        )
    for spec in TOPICS:
        summary = (spec.event.__doc__ or "").strip().splitlines()[0]
        lines += [
            "",
            f"## {event_name(spec.event)}",
            "",
            summary,
            "",
            "| field | type | meaning |",
            "|---|---|---|",
        ]
        for name, field in spec.event.model_fields.items():
            kind = str(getattr(field.annotation, "__name__", field.annotation)).replace("|", "\\|")
            lines.append(f"| `{name}` | `{kind}` | {field.description or ''} |")
    return "\n".join(lines) + "\n"
