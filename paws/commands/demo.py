"""``paws demo``: a simulated night, observed and reduced live."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import rich_click as click


@click.command()
@click.option("--fields", default=1, show_default=True, type=click.IntRange(1, 20), help="Fields to observe.")
@click.option(
    "--exposures",
    default=3,
    show_default=True,
    type=click.IntRange(1, 200),
    help="Science exposures a field.",
)
@click.option(
    "--cadence",
    default=4.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="Seconds between exposures.",
)
@click.option(
    "--biases", default=3, show_default=True, type=click.IntRange(0, 50), help="Biases in the afternoon."
)
@click.option(
    "--darks", default=1, show_default=True, type=click.IntRange(0, 20), help="Darks in the afternoon."
)
@click.option(
    "--seed", default=7, show_default=True, type=click.IntRange(0), help="Another seed is another sky."
)
@click.option(
    "--data",
    default=Path("demo-data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the raw frames and everything made of them.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the page; another if taken (PAWS_WEB_PORT)."
)
@click.option("--json", "as_json", is_flag=True, help="Print nothing but the closing JSON line.")
@click.option(
    "--exit-when-done", is_flag=True, help="End when every frame is in a final state, with a summary."
)
def demo(
    fields: int,
    exposures: int,
    cadence: float,
    biases: int,
    darks: int,
    seed: int,
    data: Path,
    port: int | None,
    as_json: bool,
    exit_when_done: bool,
) -> None:
    """Observe a simulated night and reduce it live, with a page to look at.

    Starts everything (like `paws up`), then writes the night's raw frames one after the other as the
    telescope would. The last line of the summary is one JSON object. Exit code 1 means that a frame
    failed or still waits. A second start with the same folder goes on where the first one ended.
    """
    from paws.demo import DemoNight, run_demo
    from paws.log import configure_logging
    from paws.settings import load_settings

    settings = load_settings(data_dir=data.absolute(), raw_dirs=((data / "raw").absolute(),), web_port=port)
    # What there is to tell is printed; what is merely noted would stand in between.
    level = settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
    configure_logging(settings.log_format, level, process="demo")
    night = DemoNight(fields=fields, exposures=exposures, biases=biases, darks=darks, seed=seed)
    good = asyncio.run(run_demo(settings, night, cadence, quiet=as_json, exit_when_done=exit_when_done))
    sys.exit(0 if good else 1)
