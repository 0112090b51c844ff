"""``paws compare``: the same frames through two engines."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from agents.compare.limits import LimitSet
    from agents.compare.main import Comparison
    from agents.compare.report import Report
    from paws.settings import Settings


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--engines", required=True, metavar="A,B", help="Two engines; a folder of products may stand for one."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for both sides' products, compare.json and compare.html.",
)
@click.option(
    "--night", "nights", multiple=True, metavar="YYYYMMDD", help="Only this night; may be repeated."
)
@click.option("--field", "fields", multiple=True, metavar="LABEL", help="Only this field; may be repeated.")
@click.option(
    "--frame", "names", multiple=True, metavar="NAME", help="Only this science frame; may be repeated."
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), metavar="N", help="Reductions at once; one a processor by default."
)
@click.option(
    "--limits",
    "limits_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Limits, as TOML or JSON.",
)
@click.option("--max-flux-ratio", type=float, metavar="X", help="Largest |flux ratio - 1| of a product.")
@click.option("--max-shift", type=float, metavar="X", help="Largest wavelength shift of a product, Angstrom.")
@click.option("--max-noise-ratio", type=float, metavar="X", help="Largest noise ratio of a product.")
@click.option("--min-sn-ratio", type=float, metavar="X", help="Smallest S/N ratio of a product.")
@click.option("--max-lost-fibres", type=int, metavar="N", help="Most fibres that a product may lose.")
@click.option("--max-failures", type=int, metavar="N", help="Most reductions that only B may fail at.")
@click.option("--max-time-ratio", type=float, metavar="X", help="Largest ratio of engine times.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def compare(
    run: str,
    engines: str,
    out: Path,
    nights: tuple[str, ...],
    fields: tuple[str, ...],
    names: tuple[str, ...],
    jobs: int | None,
    limits_file: Path | None,
    max_failures: int | None,
    max_time_ratio: float | None,
    as_json: bool,
    **limits: float | None,
) -> None:
    """Reduce the same frames with two engines and tell what differs.

    RUN is a folder of raw frames, or a night of PAWS_RAW_DIRS. For every product and fibre: flux ratio,
    wavelength shift, noise, S/N of B compared with A; and failures and time. Ends with status 0 when all is
    within the limits given, 3 when a limit is exceeded, 1 when nothing could be compared.
    """
    from agents.compare.main import Comparison, find_run
    from agents.compare.selection import Selection
    from agents.compare.sides import parse_sources
    from paws.log import configure_logging
    from paws.settings import load_settings

    settings = load_settings()
    configure_logging(settings.log_format, "WARNING", "compare")
    folder, found = find_run(run, settings.raw_dirs)
    comparison = Comparison(
        run=run,
        night_dir=folder,
        out=out.absolute(),
        sources=parse_sources(engines),
        selection=Selection(found.nights | set(nights), frozenset(fields), frozenset(names)),
        limits=_limits(limits_file, limits, max_failures, max_time_ratio),
        jobs=jobs or len(os.sched_getaffinity(0)),
    )
    try:
        report = asyncio.run(_compare(comparison, settings, quiet=as_json))
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on where it ended.", err=True)
        raise SystemExit(130) from None
    if as_json:
        click.echo(json.dumps(report.as_dict(), allow_nan=False))
    else:
        for line in report.lines():
            click.echo(line)
        click.echo(f"See {comparison.out / 'compare.html'}")
    raise SystemExit(report.exit_status)


def _limits(
    path: Path | None, given: dict[str, float | None], max_failures: int | None, max_time_ratio: float | None
) -> LimitSet:
    from pydantic import ValidationError

    from agents.compare.limits import Limits, LimitSet, read_limits

    base = read_limits(path) if path is not None else LimitSet()
    try:
        own = Limits.model_validate({name: value for name, value in given.items() if value is not None})
        return LimitSet(
            limits=own.over(base.limits),
            kinds=base.kinds,
            max_failures=base.max_failures if max_failures is None else max_failures,
            max_time_ratio=base.max_time_ratio if max_time_ratio is None else max_time_ratio,
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise click.BadParameter(f"{first['msg']}.", param_hint=f"--{name}") from error


async def _compare(comparison: Comparison, settings: Settings, *, quiet: bool) -> Report:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from agents.compare.main import compare as compare_sides

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as progress:

        class Bar:
            """How far one side is."""

            def __init__(self, name: str) -> None:
                self._task = progress.add_task(f"reducing with {name}", total=None)

            def scanned(self, _done: int, _total: int) -> None:
                """Read files are not shown: the same for both."""

            def reduced(self, done: int, total: int) -> None:
                """Show how many reductions are done."""
                progress.update(self._task, completed=done, total=total)

        return await compare_sides(comparison, settings, Bar)
