"""The ``paws`` command. Rooms offer their commands as entry points; the shell imports none of them."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points, version

import rich_click as click

from paws.errors import PawsError

SECTIONS = {
    "Start here": ("demo", "up"),
    "Look and act": ("status", "doctor", "request", "reprocess", "junk", "backfill", "settings", "contracts"),
    "One part alone": ("worker", "ingest", "runner", "web", "migrate"),
    "Keep it in order": ("tidy", "backup", "rebuild"),
    "People": ("user", "group"),
    "Virtual Observatory": ("tap",),
    "Without a running system": (
        "simulate",
        "reduce",
        "pdf",
        "compare",
        "explore",
        "bench",
        "chaos",
        "vendor",
    ),
}
"""Commands as people meet them, in this order."""


class _LazyGroup(click.RichGroup):
    """Group whose commands are imported only when they are asked for."""

    def _offers(self) -> dict[str, EntryPoint]:
        return {item.name: item for item in entry_points(group="paws.commands")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(self._offers())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Command of a name, or None."""
        offer = self._offers().get(cmd_name)
        if offer is None:
            return None
        command = getattr(importlib.import_module(offer.module), offer.attr)
        if not isinstance(command, click.Command):
            raise TypeError(f"entry point {offer.value} of `paws {cmd_name}` is no command")
        return command


click.rich_click.COMMAND_GROUPS = {
    "paws": [{"name": name, "commands": list(commands)} for name, commands in SECTIONS.items()]
}
click.rich_click.TEXT_MARKUP = "rich"


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("paws-live"), prog_name="paws")
def paws() -> None:
    """Live reduction of 2dF+AAOmega spectra.

    Raw frames land in a folder; reduced spectra appear by themselves. Try [bold]paws demo[/] first: it
    simulates a night, reduces it live and shows a page to look at.
    """


def main() -> None:
    """Run the command line; errors of ours end in one clear line and exit code 1."""
    try:
        paws(prog_name="paws")
    except PawsError as error:
        click.echo(f"paws: {error.message}", err=True)
        sys.exit(1)
