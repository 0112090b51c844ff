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
