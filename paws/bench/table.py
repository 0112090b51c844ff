"""Figures of fidelity for people: one column for each field, or one row when there are many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from paws.bench.fidelity import GOALS, Goal

MOST_COLUMNS = 7
"""More fields than that are rows of the table."""


def show(results: Sequence[dict[str, Any]], refused: Sequence[dict[str, Any]]) -> None:
    """Print figures, those that miss their goal in red, and a dash where there is nothing to measure."""
    console = Console(width=170 if len(results) > MOST_COLUMNS else max(100, 60 + 14 * len(results)))
    console.print(_rows(results) if len(results) > MOST_COLUMNS else _columns(results))
    for result in results:
        if "failed" in result:
            console.print(f"{_name(result)}: [bold red]{result['failed']}[/]")
    if refused:
        table = Table("frame that must be refused", "refused", "reason", box=None)
        for each in refused:
            verdict = "yes" if each["refused"] else "[bold red]no[/]"
            table.add_row(str(each["condition"]), verdict, str(each["reason"]))
        console.print(table)


def _columns(results: Sequence[dict[str, Any]]) -> Table:
    table = Table("figure", "to reach", *(_name(result) for result in results), box=None)
    for goal in GOALS:
        cells = [_cell(goal, result) for result in results]
        table.add_row(goal.meaning, f"{goal.low:g} .. {goal.high:g}", *cells)
    return table


def _rows(results: Sequence[dict[str, Any]]) -> Table:
    table = Table("field", *(goal.name.replace("_", "\n") for goal in GOALS), box=None, padding=(0, 1, 0, 0))
    table.add_row("to reach: at least", *(f"{goal.low:g}" for goal in GOALS))
    table.add_row("at most", *(f"{goal.high:g}" for goal in GOALS))
    for result in results:
        table.add_row(_name(result), *(_cell(goal, result) for goal in GOALS))
    return table


def _name(result: dict[str, Any]) -> str:
    case = "" if result["condition"] == "ordinary" else f"{result['condition']} "
    return f"{case}{result['grating']}/{result['seed']}"


def _cell(goal: Goal, result: dict[str, Any]) -> str:
    value = result.get("figures", {}).get(goal.name, math.nan)
    if not math.isfinite(value):
        return "-"
    text = f"{value:.2g}" if abs(value) < 0.1 else f"{value:.3g}"
    return text if goal.reached(value) else f"[bold red]{text}[/]"
