"""``paws chaos``: nights in which everything that can die dies."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

import rich_click as click


@click.command()
@click.option(
    "--minutes",
    type=click.FloatRange(0),
    default=0.0,
    help="Disturb for at least so long.  [default: one round]",
)
@click.option("--kills", type=click.IntRange(0), default=0, help="Go on until so many processes were killed.")
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed is another plan."
)
@click.option(
    "--only",
    multiple=True,
    metavar="NIGHT",
    help="Only nights of this kind: kills, surroundings, pauses, kafka, 'two hosts', containers, real; repeat for more.",
)
@click.option(
    "--kafka-jars",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of Apache Kafka's jars (`make kafka`) for the nights on Kafka.",
)
@click.option(
    "--image", default="", metavar="NAME", help="Docker image with an aaorun, for the nights in containers."
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the nights are kept that went wrong.  [default: a temporary folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def chaos(
    minutes: float,
    kills: int,
    seed: int,
    only: tuple[str, ...],
    kafka_jars: Path | None,
    image: str,
    work: Path | None,
    as_json: bool,
) -> None:
    """Disturb simulated nights, and compare what is left with undisturbed ones.

    Processes are killed and paused at random moments, disks filled, folders taken away, clocks of single
    processes stepped, events repeated, cables pulled. Only what the command itself started is touched. At
    the end stands a table: how often each disturbance was done, what was lost or doubled, how long recovery
    took. Exit code 1 means that something was lost, doubled, left over, or not told in the status feed.
    """
    from paws.chaos.campaign import Goal, run_campaign
    from paws.chaos.plan import ORDER
    from paws.chaos.table import show
    from paws.chaos.workplace import Workplace
    from paws.errors import ConfigurationError

    unknown = sorted(set(only) - set(ORDER))
    if unknown:
        raise ConfigurationError(
            f"No kind of night: {', '.join(unknown)}. There are: {', '.join(dict.fromkeys(ORDER))}."
        )
    folder = work or Path(tempfile.mkdtemp(prefix="paws-chaos-"))
    workplace = Workplace(folder.absolute(), jars=kafka_jars and kafka_jars.absolute(), image=image)
    workplace.prepare()
    try:
        report = asyncio.run(
            run_campaign(workplace, seed, Goal(minutes, kills, only), lambda line: click.echo(line, err=True))
        )
    except asyncio.CancelledError:
        raise click.Abort from None
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        show(report)
    if work is None and report.good:
        shutil.rmtree(folder, ignore_errors=True)
    elif not report.good:
        click.echo(f"What went wrong is kept in {folder}.", err=True)
    sys.exit(0 if report.good else 1)
