"""``paws junk``: a person declares a frame unusable."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from paws.commands.options import data_option


@click.command()
@click.argument("frame")
@click.option("--reason", default="", help="Why: stands beside the frame from now on. Needed to junk.")
@click.option("--undo", is_flag=True, help="The frame is good after all.")
@click.option("--night", default=None, help="Night as YYYYMMDD, where the name alone is not enough.")
@click.option("--who", default=None, help="Who says so; your login name if not given.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def junk(
    frame: str,
    reason: str,
    undo: bool,
    night: str | None,
    who: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Declare a raw frame unusable, and have everything made with it redone without it.

    FRAME is a name such as [bold]12mar10011[/], or the frame's identifier. Nothing is deleted.
    """
    import asyncio
    import getpass

    from agents.calib_matcher.junking import junk_by_name
    from paws.running import running_settings

    if not undo and not reason.strip():
        raise click.UsageError("Say why with --reason: others will ask. (--undo needs none.)")
    settings = running_settings(data)
    result = asyncio.run(
        junk_by_name(
            settings, frame, night=night, junked=not undo, reason=reason, who=who or getpass.getuser()
        )
    )
    if as_json:
        click.echo(json.dumps(result))
    elif result["changed"]:
        click.echo(
            f"{result['name']} of night {result['night']} is {'junked' if not undo else 'good again'}."
        )
    else:
        click.echo(f"{result['name']} of night {result['night']} was so already; nothing changed.")
