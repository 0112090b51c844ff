"""The two sides of a comparison: an engine that reduces now, or a folder that was reduced earlier."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agents.compare.selection import Selection
from agents.offline.agenda import Ending
from agents.offline.done import Done, read_done
from agents.offline.main import DONE_LIST, KEEPING, Request, Watcher, reduce_night
from paws.engines import engine_reference
from paws.errors import InvalidInputError
from paws.matching.policy import engine_version
from paws.settings import Settings

_ENGINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True)
class Source:
    """Where a side comes from: the engine `name`, or products that lie in `folder` already."""

    name: str
    folder: Path | None = None


@dataclass(frozen=True)
class Side:
    """One side, reduced.

    Attributes
    ----------
    done
        Reductions that succeeded, of those that the frames want.
    failures
        Reductions that failed now.
    left
        Frames that have no product in the end, with the reason.
    seconds
        Wall-clock time of this run; 0 for an earlier one.
    """

    name: str
    version: str
    out: Path
    done: tuple[Done, ...]
    failures: tuple[Ending, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


def parse_sources(text: str) -> tuple[Source, Source]:
    """Two engines, separated by a comma. What has a ``/`` in it is a folder of earlier products.

    Raises
    ------
    InvalidInputError
        If these are not two, or the same twice, or no names.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(parts):
        raise InvalidInputError(
            f"--engines {text!r} does not name two. Write two engines, such as builtin,local; a folder that "
            "`paws reduce` or `paws compare` filled may stand for an engine, such as ./old/builtin,builtin."
        )
    first, second = (_parse_one(part) for part in parts)
    if first == second:
        raise InvalidInputError(f"--engines names {first.name} twice. Name two that may differ.")
    return first, second


def _parse_one(part: str) -> Source:
    if "/" in part:
        folder = Path(part).absolute()
        if not (folder / KEEPING / DONE_LIST).is_file():
            raise InvalidInputError(
                f"{folder} holds no products of `paws reduce`: it lacks {KEEPING}/{DONE_LIST}."
            )
        return Source(f"{folder.name} (earlier)", folder)
    if not _ENGINE_NAME.fullmatch(part):
        raise InvalidInputError(f"{part!r} is no name of an engine. A folder is written with a '/'.")
    return Source(part)


def check_engines(sources: Iterable[Source], settings: Settings) -> None:
    """Refuse unknown engines before anything is reduced.

    Raises
    ------
    ConfigurationError
        If no engine has one of the names.
    """
    for source in sources:
        if source.folder is None:
            engine_reference(settings, source.name)


async def make_side(
    source: Source,
    night_dir: Path,
    selection: Selection,
    settings: Settings,
    out: Path,
    jobs: int,
    watcher: Watcher,
) -> Side:
    """Reduce the frames with an engine, or read what lies in a folder.

    Raises
    ------
    PawsError
        As `agents.offline.main.reduce_night`.
    """
    if source.folder is not None:
        done = await asyncio.to_thread(read_done, source.folder / KEEPING / DONE_LIST, source.folder)
        return Side(source.name, "", source.folder, tuple(done))
    products = out / source.name
    mine = settings.model_copy(
        update={
            "engine": source.name,
            "engine_version": "",
            "data_dir": products / KEEPING,
            "runner_slots": jobs,
        }
    )
    request = Request(night_dir, products, jobs, choose=selection)
    summary = await reduce_night(request, mine, watcher)
    done = await asyncio.to_thread(read_done, mine.data_dir / DONE_LIST, products)
    return Side(
        name=source.name,
        version=engine_version(mine),
        out=products,
        done=tuple(item for item in done if item.job_key in summary.wanted),
        failures=tuple(summary.failures),
        left=tuple((item["frame"], item["reason"]) for item in summary.as_dict()["not_reduced"]),
        seconds=summary.seconds,
    )
