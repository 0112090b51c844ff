"""``paws bench``: how true and how fast the built-in reducer is, on simulated fields."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import rich_click as click

PAIRS = ("580V,385R", "1500V,1000R", "2500V,1700D")


@click.group()
def bench() -> None:
    """Measure the built-in reducer on simulated fields."""


@bench.command()
@click.option(
    "--gratings",
    multiple=True,
    default=PAIRS,
    show_default=True,
    help="Blue and red grating; repeat for more.",
)
@click.option("--seeds", default="1", show_default=True, help="Seeds, separated by commas.")
@click.option("--exposures", default=2, show_default=True, help="Science exposures of each field.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep frames here.  [default: a temporary folder]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: the figures of each grating and seed."
)
def fidelity(gratings: tuple[str, ...], seeds: str, exposures: int, work: Path | None, as_json: bool) -> None:
    """Compare reduced fields with their truth, figure by figure."""
    from paws.bench.fidelity import measure
    from paws.bench.field import Reducer, reduce_field, simulate

    results: list[dict[str, object]] = []
    with ExitStack() as stack:
        root = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paws-bench-")))
        reducer = stack.enter_context(Reducer())
        for pair in gratings:
            for seed in _numbers(seeds):
                place = root / f"{pair.replace(',', '-').replace('@', '_')}-{seed}"
                place.mkdir(parents=True, exist_ok=True)
                night = simulate(place, pair, seed, exposures, truth=True)
                for arm in reduce_field(reducer, night, pair, keep=True):
                    figures = measure(arm, place / "truth")
                    results.append({"grating": arm.grating, "seed": seed, "figures": figures})
    if as_json:
        click.echo(json.dumps(results))
    else:
        _show(results)


@bench.command()
@click.option(
    "--exposures",
    default=40,
    show_default=True,
    help="Science exposures to reduce in a row (960 is a season's field).",
)
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--seed", default=1, show_default=True, help="Seed of the simulated field.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep frames here.  [default: a temporary folder]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def speed(exposures: int, jobs: int, seed: int, work: Path | None, as_json: bool) -> None:
    """CPU seconds of every verb on warm full-size frames, and a long run of science exposures."""
    from paws.bench.field import Reducer, reduce_field, simulate
    from paws.bench.speed import GOALS, by_verb, many

    with ExitStack() as stack:
        root = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paws-bench-")))
        root.mkdir(parents=True, exist_ok=True)
        night = simulate(root, PAIRS[0], seed, 3, truth=False)
        with Reducer() as reducer:
            # Twice, so that files are in the system's cache and every command is measured warm.
            for _ in range(2):
                arms = reduce_field(reducer, night, PAIRS[0], keep=False)
        seconds = by_verb(arms)
        run = many(arms, exposures, jobs)
    if as_json:
        click.echo(json.dumps({"verbs": seconds, "goals": GOALS, "run": run}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("verb", "CPU seconds", "to reach", box=None)
    for verb, value in seconds.items():
        table.add_row(verb, f"{value:.2f}", f"{GOALS[verb]:.1f}" if verb in GOALS else "")
    Console().print(table)
    click.echo(
        f"{run['exposures']} science exposures by {jobs} processes: {run['wall']:.0f} s, {run['cpu']:.0f} CPU s; "
        f"960 would take {run['minutes_for_960']:.1f} minutes"
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise click.BadParameter(
            f"{text} is not a list of numbers such as 1,2,3", param_hint="--seeds"
        ) from None


def _show(results: list[dict[str, object]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from paws.bench.fidelity import GOALS

    table = Table("figure", "to reach", *(f"{r['grating']}/{r['seed']}" for r in results), box=None)
    for goal in GOALS:
        cells = []
        for result in results:
            figures = result["figures"]
            value = figures.get(goal.name, float("nan")) if isinstance(figures, dict) else float("nan")
            cells.append(f"{value:.4g}" if goal.reached(value) else f"[bold red]{value:.4g}[/]")
        table.add_row(goal.meaning, f"{goal.low:g} .. {goal.high:g}", *cells)
    Console(width=max(100, 60 + 12 * len(results))).print(table)
