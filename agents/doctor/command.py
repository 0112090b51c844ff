"""``paws doctor``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from paws.commands.options import data_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.doctor.finding import Finding


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def doctor(data: Path | None, as_json: bool) -> None:
    """Look at every part and say what to do about what is wrong.

    Looks at this machine, the folders, the database, the broker, the queue and the engines, as the settings
    name them or as they run in the data folder. Changes nothing. Ends with status 0 when nothing is broken.
    """
    from agents.doctor.finding import document, exit_status
    from agents.doctor.main import examine
    from paws.errors import ConfigurationError
    from paws.log import configure_logging
    from paws.running import running_settings
    from paws.settings import load_settings

    try:
        settings = running_settings(data)
    except ConfigurationError:
        # Nothing runs here; or a setting is wrong, which this says.
        settings = load_settings(data_dir=data)
    configure_logging(settings.log_format, "ERROR", "doctor")
    findings = asyncio.run(examine(settings))
    status = exit_status(findings)
    if as_json:
        click.echo(json.dumps(document(findings)))
    else:
        _show(findings)
    sys.stdout.flush()
    # A thread that hangs in a dead network file system would hold the interpreter's end for ever.
    os._exit(status)


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    colours = {"ok": "green", "warning": "yellow", "error": "red", "skipped": "dim"}
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for item in findings:
        mark = f"[{colours[item.state.value]}]{item.state.value}[/]"
        text = escape(item.detail) + (f"\n[bold]{escape(item.advice)}[/]" if item.advice else "")
        table.add_row(mark, escape(item.part), text)
    console = Console()
    console.print(table)
    counts = {state: sum(item.state.value == state for item in findings) for state in ("error", "warning")}
    console.print(f"{len(findings)} looked at: {counts['error']} errors, {counts['warning']} warnings")
