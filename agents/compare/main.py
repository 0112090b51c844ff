"""Reduce with both, pair the products, measure, write the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.compare.figures import Pair, compare_files
from agents.compare.limits import LimitSet
from agents.compare.page import page_of
from agents.compare.report import Match, Report, match_products
from agents.compare.selection import Selection
from agents.compare.sides import Side, Source, check_engines, make_side
from agents.offline.main import Watcher
from paws.errors import InvalidInputError
from paws.settings import Settings

REPORT = "compare.json"
PAGE = "compare.html"


@dataclass(frozen=True)
class Comparison:
    """What to compare.

    Attributes
    ----------
    run
        As the user named it.
    night_dir
        Folder of raw frames.
    out
        Folder for products and report.
    """

    run: str
    night_dir: Path
    out: Path
    sources: tuple[Source, Source]
    selection: Selection
    limits: LimitSet
    jobs: int


def find_run(run: str, raw_dirs: tuple[Path, ...]) -> tuple[Path, Selection]:
    """Folder of a run, and what of it: a folder itself, or a night in the raw folders.

    Raises
    ------
    InvalidInputError
        If there is no such folder.
    """
    folder = Path(run)
    if folder.is_dir():
        return folder.absolute(), Selection()
    if len(run) == 8 and run.isdigit():
        named = [base / name for base in raw_dirs for name in (run, run[2:]) if (base / name).is_dir()]
        if len(named) == 1:
            return named[0].absolute(), Selection(nights=frozenset({run}))
        if len(raw_dirs) == 1 and raw_dirs[0].is_dir():
            return raw_dirs[0].absolute(), Selection(nights=frozenset({run}))
    raise InvalidInputError(
        f"{run!r} is no folder, and no night of one raw folder in PAWS_RAW_DIRS. Name a folder of raw frames."
    )


async def compare(comparison: Comparison, settings: Settings, watcher: Callable[[str], Watcher]) -> Report:
    """Reduce the frames with both sides and compare what they made; write report and page.

    Raises
    ------
    PawsError
        If a side cannot be reduced at all.
    """
    check_engines(comparison.sources, settings)
    sides: list[Side] = []
    for source in comparison.sources:
        sides.append(
            await make_side(
                source,
                comparison.night_dir,
                comparison.selection,
                settings,
                comparison.out,
                comparison.jobs,
                watcher(source.name),
            )
        )
    a, b = sides
    earlier_a, earlier_b = (source.folder is not None for source in comparison.sources)
    matches = match_products(a.done, b.done, earlier_a=earlier_a, earlier_b=earlier_b)

    def measure(match: Match) -> Pair:
        return compare_files(match.kind, match.path, a.out / match.path, b.out / match.path)

    with ThreadPoolExecutor(comparison.jobs) as threads:
        pairs = await asyncio.to_thread(lambda: list(threads.map(measure, matches.both)))
    report = Report(comparison.run, a, b, pairs, matches, comparison.limits)
    document = report.as_dict()
    await asyncio.to_thread(_write, comparison.out, document)
    return report


def _write(out: Path, document: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, text in ((REPORT, json.dumps(document, allow_nan=False)), (PAGE, page_of(document))):
        temporary = out / f".{name}.new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(out / name)
