"""``paws settings``: every setting, its value now and what it means."""

from __future__ import annotations

import json

import rich_click as click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the values as one JSON object.")
@click.option("--markdown", is_flag=True, help="Print the reference page: names, defaults, meanings.")
def settings(as_json: bool, markdown: bool) -> None:
    """List all settings with their values and meanings. Secrets are masked.

    A setting is changed by an environment variable of the name shown.
    """
    from paws.settings import Settings, load_settings

    if markdown:
        click.echo(reference_page(), nl=False)
        return
    loaded = load_settings()
    values = loaded.masked()
    if as_json:
        click.echo(json.dumps(values))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("Setting", "Value", "Meaning"):
        table.add_column(heading, overflow="fold")
    for name, field in Settings.model_fields.items():
        marked = "bold" if name in loaded.model_fields_set else ""
        table.add_row(f"PAWS_{name.upper()}", str(values[name]), field.description, style=marked)
    Console().print(table)


def reference_page() -> str:
    """Reference page of all settings, in Markdown."""
    from paws.settings import Settings
    from paws.settings_text import as_text

    lines = [
        "# Settings",
        "",
        "Environment variables, read by every process. `paws settings` prints their values, secrets masked.",
        "A variable that starts with `PAWS_` and is none of these is refused. Times are in seconds.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        value = field.get_default(call_default_factory=True)
        default = as_text(value) if value not in (None, {}, ()) else ""
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `PAWS_{name.upper()}` | {f'`{default}`' if default else '–'} | {meaning} |")
    return "\n".join(lines) + "\n"
