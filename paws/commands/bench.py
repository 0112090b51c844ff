"""``paws bench``: how true and how fast the built-in reducer is, on simulated fields."""

from __future__ import annotations

import json
import math
import shutil
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
    "--conditions",
    default="ordinary",
    show_default=True,
    help="Conditions, separated by commas; all for every one, and for frames that must be refused.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep frames here.  [default: a temporary folder]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="A JSON list: the figures of each condition, grating and seed.",
)
def fidelity(
    gratings: tuple[str, ...], seeds: str, exposures: int, conditions: str, work: Path | None, as_json: bool
) -> None:
    """Compare reduced fields with their truth, figure by figure.

    The conditions are ordinary, broken, mistyped, permuted, saturated-arc, weak-arc, saturated-flat, drift,
    over-exposed, under-exposed, few-sky, twilight, offset-sky, bad-columns, scattered, profile, blue-only
    and red-only. A reduction that fails gives its reason in place of figures.
    """
    from paws.bench.conditions import ALL, chosen
    from paws.bench.fidelity import judge
    from paws.bench.field import Reducer
    from paws.bench.refusals import refusals
    from paws.bench.table import show

    cases = chosen(conditions)
    results: list[dict[str, object]] = []
    refused: list[dict[str, object]] = []
    with ExitStack() as stack:
        root = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paws-bench-")))
        reducer = stack.enter_context(Reducer())
        for case in cases:
            for pair in gratings:
                for seed in _numbers(seeds):
                    place = root / f"{case.name}-{pair.replace(',', '-').replace('@', '_')}-{seed}"
                    results += judge(reducer, case, place, pair, seed, exposures)
                    if conditions.strip() == ALL and not refused:
                        refused = refusals(reducer, place, root / "refused")
                    if work is None:
                        # A field takes a gigabyte: what nobody keeps makes room for the next.
                        shutil.rmtree(place)
    if as_json:
        click.echo(json.dumps(_plain(results) + refused))
    else:
        show(results, refused)


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
    from paws.bench.speed import GOALS, MEMORY, by_verb, many

    arms = dict(zip(("blue", "red"), PAIRS[0].split(","), strict=True))
    with ExitStack() as stack:
        root = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paws-bench-")))
        root.mkdir(parents=True, exist_ok=True)
        night = simulate(root, PAIRS[0], seed, 3, truth=False)
        with Reducer() as reducer:
            # Twice, so that files are in the system's cache and every command is measured warm.
            for _ in range(2):
                reduced = reduce_field(reducer, night, arms, keep=False)
            peak = reducer.peak
        seconds = by_verb(reduced)
        run = many(reduced, exposures, jobs)
    if as_json:
        click.echo(json.dumps({"verbs": seconds, "goals": GOALS, "peak": peak, "run": run}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("verb", "CPU seconds", "to reach", box=None)
    for verb, value in seconds.items():
        table.add_row(verb, f"{value:.2f}", f"{GOALS[verb]:.1f}" if verb in GOALS else "")
    table.add_row("memory of the process, at most (GB)", f"{peak / 1e9:.2f}", f"{MEMORY / 1e9:.1f}")
    Console().print(table)
    click.echo(
        f"{run['exposures']} science exposures by {jobs} processes: {run['wall']:.0f} s, {run['cpu']:.0f} CPU s, "
        f"{run['peak'] / 1e9:.2f} GB a process; 960 would take {run['minutes_for_960']:.1f} minutes"
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise click.BadParameter(
            f"{text} is not a list of numbers such as 1,2,3", param_hint="--seeds"
        ) from None


def _plain(results: list[dict[str, object]]) -> list[dict[str, object]]:
    """Results as JSON has them: what could not be measured is null."""
    return [
        {
            key: {name: _known(figure) for name, figure in value.items()}
            if isinstance(value, dict)
            else value
            for key, value in result.items()
        }
        for result in results
    ]


def _known(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
