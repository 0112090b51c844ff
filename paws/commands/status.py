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

HEADINGS = ("Frame", "Class", "Object", "State", "Level", "S/N")
WIDEST = 20
"""Characters of a column."""


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
    summary, frames, rejected = asyncio.run(_read(settings, night))
    runtime = read_runtime(settings.data_dir)
    processes = {} if runtime is None else runtime.pids
    web = "" if runtime is None else runtime.web_url
    if as_json:
        night_document = None if summary is None else summary.as_dict()
        document = {"processes": processes, "web": web, "night": night_document, "frames": frames}
        click.echo(json.dumps(document | {"rejected": rejected}))
        return
    _show(summary, frames, rejected, processes, web)


async def _read(
    settings: Settings, night: str | None
) -> tuple[NightSummary | None, list[dict[str, Any]], list[dict[str, Any]]]:
    from paws.database import connect
    from paws.nightly import summarise
    from paws.status import plain

    connection = await connect(settings)
    try:
        night = night or await connection.fetchval("SELECT max(night) FROM frame WHERE source = 'live'")
        if night is None:
            return None, [], []
        rows = await connection.fetch(
            "SELECT name, run, arm, frame_class, object_name, state, level, provisional, signal_to_noise, reason "
            "FROM frame_status WHERE night = $1 AND source = 'live' ORDER BY run, arm",
            night,
        )
        rejected = await connection.fetch(
            "SELECT path, reason FROM rejected_file WHERE night = $1 AND resolved_at IS NULL ORDER BY path",
            night,
        )
        summary = await summarise(connection, night, settings.runner_slots)
        return summary, [plain(row) for row in rows], [dict(row) for row in rejected]
    finally:
        await connection.close()


def _show(
    summary: NightSummary | None,
    frames: list[dict[str, Any]],
    rejected: list[dict[str, Any]],
    processes: dict[str, int],
    web: str,
) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    # Names of processes and folders are for copying.
    console = Console(highlight=False)
    if processes:
        console.print("running: " + ", ".join(f"{name} ({pid})" for name, pid in processes.items()))
    if web:
        console.print(f"page: {web}")
    if summary is None:
        console.print("No frame has arrived yet.")
        return
    lines = [HEADINGS, *map(_cells, frames)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # Beside the columns a terminal has hardly room for a reason.
    reasons = [("", "bold"), *((_reason(frame), "") for frame in frames)]
    for line, (reason, style) in zip(lines, reasons, strict=True):
        row = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        console.print(Text(row, style), overflow="ellipsis", no_wrap=True)
        if reason:
            console.print(Padding(Text(reason, "dim"), (0, 0, 0, 2)))
    for file in rejected:
        console.print(Text(f"rejected: {file['path']}"), soft_wrap=True)
        console.print(Padding(Text(file["reason"], "dim"), (0, 0, 0, 2)))
    console.print(
        f"night {summary.night}: {summary.frames} frames, {summary.reduced} done "
        f"({summary.set_aside} set aside), {summary.waiting} under way or waiting, {summary.failed} failed, "
        f"{summary.rejected} rejected, {summary.products} products"
    )


def _cells(frame: dict[str, Any]) -> tuple[str, ...]:
    """What the columns hold of a frame."""
    level = "" if frame["level"] is None else f"L{frame['level']}" + ("*" if frame["provisional"] else "")
    ratio = "" if frame["signal_to_noise"] is None else f"{frame['signal_to_noise']:.1f}"
    told = (frame["name"], frame["frame_class"], frame["object_name"] or "", frame["state"], level, ratio)
    return tuple(cell if len(cell) <= WIDEST else cell[: WIDEST - 1] + "…" for cell in told)


def _reason(frame: dict[str, Any]) -> str:
    """Why a frame is in its state; why all is well is told by the frame's page."""
    return "" if frame["state"] == "reduced" and not frame["provisional"] else frame["reason"] or ""
