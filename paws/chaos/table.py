"""The table of a campaign, for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from paws.chaos.campaign import CampaignReport


def show(report: CampaignReport) -> None:
    """Print the table of a campaign."""
    table = Table(title=f"{len(report.nights)} nights, {report.kills} kills, seed {report.seed}")
    for name in ("disturbance", "times", "lost", "doubled", "recovered in, median", "longest", "unseen"):
        table.add_column(name, justify="left" if name == "disturbance" else "right")
    for line in report.table:
        longest = _seconds(line.recovery_longest)
        table.add_row(
            line.kind,
            str(line.done),
            str(line.lost),
            str(line.duplicated),
            _seconds(line.recovery_median),
            f"{longest}, {line.unrecovered} never" if line.unrecovered else longest,
            str(line.unseen),
        )
    console = Console()
    console.print(table)
    for what, why in report.refused.items():
        console.print(f"left out: {what}: {why}", markup=False, highlight=False)
    for night in report.nights:
        for problem in night.verdict.problems():
            console.print(f"night {night.plan.number}: {problem}", markup=False, highlight=False)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
