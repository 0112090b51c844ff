"""The commands ``paws runner`` and ``paws reprocess``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import rich_click as click

from paws.commands.options import data_option
from schemas.vocabulary import ReductionKind


@click.command()
@data_option
@click.option(
    "--slots", type=click.IntRange(1, 64), help="Reductions at once (PAWS_RUNNER_SLOTS).", metavar="N"
)
@click.option(
    "--host-slots",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Reductions at once on this machine, whatever the number of runners (PAWS_RUNNER_HOST_SLOTS).",
)
@click.option(
    "--engine",
    metavar="NAME",
    help="What reduces frames: builtin, local or one of PAWS_ENGINES (PAWS_ENGINE).",
)
def runner(data: Path | None, slots: int | None, host_slots: int | None, engine: str | None) -> None:
    """Take reductions from the queue and carry them out.

    Any number of runners may work side by side, on any number of machines that see the same data folder. With
    --host-slots, runners of a machine share so many slots; one that finds none free waits for one.
    Ctrl-C or SIGTERM hands back what is not done.
    """
    from agents.reducer.runner.worker import run_runner
    from paws.log import configure_logging
    from paws.running import mark_ready, running_settings

    settings = running_settings(data, runner_slots=slots, runner_host_slots=host_slots, engine=engine)
    configure_logging(settings.log_format, settings.log_level, "runner")
    asyncio.run(run_runner(settings, ready=lambda: mark_ready(settings, "runner")))


@click.command()
@click.argument("target", metavar="[FRAME|NIGHT]", required=False)
@click.option(
    "--night", metavar="YYYYMMDD", help="Night of the frame, or the whole night when none is named."
)
@click.option("--force", is_flag=True, help="Also what succeeded; else only what failed.")
@click.option(
    "--kind", type=click.Choice([item.value for item in ReductionKind]), help="Only reductions of this kind."
)
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def reprocess(
    target: str | None, night: str | None, force: bool, kind: str | None, data: Path | None, as_json: bool
) -> None:
    """Ask again for the reductions of a frame or of a night.

    FRAME is a name such as [bold]12mar10011[/] or a frame's identifier, NIGHT a date such as
    [bold]20260312[/]. What reads a repeated product is repeated after it.
    """
    from paws.clock import utc_now
    from paws.database import connect
    from paws.orders.repeat import reprocess as ask_again
    from paws.running import running_settings

    settings = running_settings(data)

    async def ask() -> None:
        connection = await connect(settings)
        try:
            asked = await ask_again(
                connection,
                target,
                night=night,
                force=force,
                kind=ReductionKind(kind) if kind else None,
                at=utc_now(),
            )
        finally:
            await connection.close()
        if as_json:
            rows = [
                {
                    "job_key": item.job_key,
                    "slot": item.slot,
                    "kind": item.kind.value,
                    "state": item.state.value,
                    "reason": item.reason,
                }
                for item in asked
            ]
            click.echo(json.dumps({"asked": len(rows), "reductions": rows}))
            return
        for item in asked:
            click.echo(f"{item.kind.value:16} {item.slot:44} {item.state.value:10} {item.reason}")
        if asked:
            click.echo(f"{len(asked)} reduction(s) asked for again.")
        else:
            click.echo("Nothing failed there. Use --force to repeat what succeeded.")

    asyncio.run(ask())
