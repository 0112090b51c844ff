"""``paws worker``: the agents of the Faust app, in one process."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from paws.commands.options import data_option


@click.command()
@data_option
def worker(data: Path | None) -> None:
    """Run the agents: matcher, reducer intake, observing log, catalogue, notifier and relay.

    One worker serves a system; a second one takes over when it ends. Ctrl-C or SIGTERM stops it after the
    event in hand.
    """
    import asyncio
    import sys

    from agents.worker import run_worker
    from paws.log import configure_logging
    from paws.running import mark_ready, running_settings

    settings = running_settings(data)
    settings.require_broker()
    configure_logging(settings.log_format, settings.log_level, "worker")
    sys.exit(asyncio.run(run_worker(settings, ready=lambda: mark_ready(settings, "worker"))))
