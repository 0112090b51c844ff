"""The ``simulate`` command: a thin shell over `simulator.plan` and `simulator.night`."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from simulator.plan import NightPlan
    from simulator.writer import WrittenFrame


@click.command("simulate")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--date", help="Night as YYYYMMDD.  [default: today, UT]")
@click.option(
    "--fields", default=1, show_default=True, help="Fields of the night; plates 0 and 1 take turns."
)
@click.option("--exposures", default=3, show_default=True, help="Science exposures of each field.")
@click.option("--seed", default=1, show_default=True, help="Same seed and options, same bytes.")
@click.option("--arms", default="blue,red", show_default=True, help="Arms in use, separated by a comma.")
@click.option(
    "--gratings", help="Gratings in the order blue,red; NAME or NAME@CENTRE (Angstrom).  [default: 580V,385R]"
)
@click.option("--dichroic", default="X5700", show_default=True, help="X5700 or X6700.")
@click.option("--biases", default=5, show_default=True, help="Bias exposures in the afternoon.")
@click.option("--darks", default=1, show_default=True, help="Dark exposures in the afternoon.")
@click.option("--twilight", is_flag=True, help="Add a twilight-sky exposure to each field.")
@click.option("--offset-sky", is_flag=True, help="Add an offset-sky exposure to each field.")
@click.option(
    "--exposure-time", type=float, help="Science exposure time in seconds.  [default: 1800 or what fits]"
)
@click.option(
    "--condition", "conditions", multiple=True, metavar="NAME=VALUE",
    help="What is not as usual, such as sky_fibres=5 or drift_y=0.5; repeat for more.",
)  # fmt: skip
@click.option("--truth", type=click.Path(file_okay=False, path_type=Path), help="Folder for the truth.")
@click.option("--live", is_flag=True, help="Write exposures one after the other, as the detectors would.")
@click.option("--cadence", default=10.0, show_default=True, help="With --live: seconds between read-outs.")
@click.option("--slow-write", is_flag=True, help="With --live: write in place, piece by piece.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Frames rendered at once.  [default: all cores]")
@click.option(
    "--existing", type=click.Choice(["refuse", "skip", "overwrite"]), default="refuse", show_default=True,
    help="What to do with frames that are already there.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The plan, each frame and a summary, as JSON lines.")
def simulate(out: Path, as_json: bool, **options: Any) -> None:
    """Write the raw frames of a simulated 2dF+AAOmega night to the folder OUT.

    Frames are named and laid out as at the AAT (OUT/260312/ccd_1/12mar10001.fits ...), full size, with
    headers, fibre tables, noise and cosmic rays. With --truth, what a perfect reduction would find is
    written beside: one .npz per frame, and targets.ecsv with the true redshifts.
    """
    from simulator.errors import SimulatorError

    try:
        plan = _plan(options)
        begun = time.monotonic()
        frames = 0
        with contextlib.closing(_frames(out, plan, options)) as night, _report(plan, as_json) as report:
            for frame in night:
                frames += 1
                report(frame)
        seconds = round(time.monotonic() - begun, 3)
    except SimulatorError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot write the night: {error}. Check the folder and its free space."
        ) from error
    if as_json:
        summary = {"event": "summary", "night": f"{plan.night:%Y%m%d}", "frames": frames, "seconds": seconds}
        click.echo(json.dumps({**summary, "out": str(out)}))
    else:
        click.echo(f"{frames} frames of {plan.night:%d %b %Y} in {out} ({seconds:.1f} s)")


def _plan(options: dict[str, Any]) -> NightPlan:
    from simulator.conditions import read_conditions
    from simulator.plan import plan_night

    arms = [name.strip() for name in options["arms"].split(",") if name.strip()]
    gratings, centres = _gratings(options["gratings"], arms)
    return plan_night(
        options["date"] or f"{datetime.now(UTC):%Y%m%d}",
        fields=options["fields"],
        exposures=options["exposures"],
        seed=options["seed"],
        arms=arms,
        gratings=gratings,
        centres=centres,
        dichroic=options["dichroic"],
        biases=options["biases"],
        darks=options["darks"],
        twilight=options["twilight"],
        offset_sky=options["offset_sky"],
        exposure_seconds=options["exposure_time"],
        conditions=read_conditions(options["conditions"]),
    )


def _gratings(text: str | None, arms: list[str]) -> tuple[dict[str, str], dict[str, float]]:
    """Read ``580V,385R@7300`` as grating and centre of each arm."""
    from simulator.errors import InvalidPlanError

    gratings: dict[str, str] = {}
    centres: dict[str, float] = {}
    if text is None:
        return gratings, centres
    parts = [part.strip() for part in text.split(",")]
    ordered = sorted(arms)
    if len(parts) != len(ordered):
        raise InvalidPlanError(
            f"--gratings names {len(parts)} for {len(ordered)} arms: give one for each of {', '.join(ordered)}"
        )
    for arm, part in zip(ordered, parts, strict=True):
        name, _, centre = part.partition("@")
        gratings[arm] = name
        if centre:
            try:
                centres[arm] = float(centre)
            except ValueError:
                raise InvalidPlanError(f"{part!r} is not GRATING@CENTRE, for example 385R@7250") from None
    return gratings, centres


def _frames(out: Path, plan: NightPlan, options: dict[str, Any]) -> Generator[WrittenFrame, None, None]:
    from simulator.night import stream_night, write_frames

    if options["live"]:
        return stream_night(
            out,
            plan,
            options["cadence"],
            options["slow_write"],
            truth_dir=options["truth"],
            jobs=options["jobs"],
            existing=options["existing"],
        )
    return write_frames(out, plan, options["truth"], jobs=options["jobs"], existing=options["existing"])


@contextlib.contextmanager
def _report(plan: NightPlan, as_json: bool) -> Iterator[Any]:
    """Say what was written: JSON lines for programs, a progress bar on stderr for people."""
    if as_json:
        click.echo(json.dumps({"event": "plan", "night": f"{plan.night:%Y%m%d}", "frames": plan.frame_count}))
        sys.stdout.flush()
        yield _print_json
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("simulating", total=plan.frame_count)

        def show(frame: WrittenFrame) -> None:
            progress.update(task, advance=1, description=f"{frame.path.name} {frame.frame_class}")

        yield show


def _print_json(frame: WrittenFrame) -> None:
    record = {
        "event": "frame",
        "path": str(frame.path),
        "run": frame.run,
        "arm": frame.arm,
        "class": frame.frame_class,
        "object": frame.object_name,
        "exposed": frame.exposed,
        "bytes": frame.size,
    }
    click.echo(json.dumps(record))
    sys.stdout.flush()
