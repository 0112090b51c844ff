"""``paws status``: what runs, and what became of a night's frames."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from paws.nightly import NightSummary
    from paws.settings import Settings


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Data folder of the running system.")
@click.option("--night", help="Night as YYYYMMDD; the newest by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(data: Path | None, night: str | None, as_json: bool) -> None:
    """Show what runs and what became of a night's frames.

    Asks the system that runs in the data folder, or the database of PAWS_DATABASE_URL.
    """
    from paws.embedded.runtime import read_runtime
    from paws.running import running_settings

    settings = running_settings(data)
    summary, frames = asyncio.run(_read(settings, night))
    runtime = read_runtime(settings.data_dir)
    processes = {} if runtime is None else runtime.pids
    web = "" if runtime is None else runtime.web_url
    if as_json:
        night_document = None if summary is None else summary.as_dict()
        click.echo(
            json.dumps({"processes": processes, "web": web, "night": night_document, "frames": frames})
        )
        return
    _show(summary, frames, processes, web)


async def _read(settings: Settings, night: str | None) -> tuple[NightSummary | None, list[dict[str, Any]]]:
    from paws.database import connect
    from paws.nightly import summarise
    from paws.status import plain

    connection = await connect(settings)
    try:
        night = night or await connection.fetchval("SELECT max(night) FROM frame WHERE source = 'live'")
        if night is None:
            return None, []
        rows = await connection.fetch(
            "SELECT name, run, arm, frame_class, object_name, state, level, provisional, signal_to_noise, reason "
            "FROM frame_status WHERE night = $1 AND source = 'live' ORDER BY run, arm",
            night,
        )
        return await summarise(connection, night, settings.runner_slots), [plain(row) for row in rows]
    finally:
        await connection.close()


def _show(
    summary: NightSummary | None, frames: list[dict[str, Any]], processes: dict[str, int], web: str
) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if processes:
        console.print("running: " + ", ".join(f"{name} ({pid})" for name, pid in processes.items()))
    if web:
        console.print(f"page: {web}")
    if summary is None:
        console.print("No frame has arrived yet.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("Frame", "Class", "Object", "State", "Level", "S/N"):
        table.add_column(heading, no_wrap=True, max_width=16)
    table.add_column("Why", overflow="fold")
    for frame in frames:
        level = "" if frame["level"] is None else f"L{frame['level']}" + ("*" if frame["provisional"] else "")
        ratio = "" if frame["signal_to_noise"] is None else f"{frame['signal_to_noise']:.1f}"
        cells = (
            frame["name"],
            frame["frame_class"],
            frame["object_name"],
            frame["state"],
            level,
            ratio,
            # Why all is well is told by the frame's page.
            "" if frame["state"] == "reduced" and not frame["provisional"] else frame["reason"] or "",
        )
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)
    console.print(
        f"night {summary.night}: {summary.frames} frames, {summary.reduced} done "
        f"({summary.set_aside} set aside), {summary.waiting} under way or waiting, {summary.failed} failed, "
        f"{summary.rejected} rejected, {summary.products} products"
    )
