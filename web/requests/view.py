"""A request for people: how far it is, how long it takes, and what differs from the default. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from paws.requests.states import OPEN
from paws.requests.wish import LEAVABLE
from schemas.parameters import BY_NAME, default_words, in_words
from schemas.vocabulary import CalibrationLevel, RequestState
from web.storage.requests import Queue

USUAL_SECONDS: Final = 10.0
"""Guess for a kind of reduction of which nothing is known yet."""


@dataclass(frozen=True)
class Difference:
    """A parameter that differs from the default."""

    name: str
    value: str
    default: str
    meaning: str


def differences(parameters: Mapping[str, Any], gratings: Sequence[str] = ()) -> list[Difference]:
    """What differs from the default, for people. Parameters that are not known any more are shown all the same."""
    found = []
    for name, value in sorted(parameters.items()):
        known = BY_NAME.get(name)
        found.append(
            Difference(
                name,
                in_words(value),
                default_words(known, gratings) if known else "",
                known.meaning if known else "a parameter of an earlier version",
            )
        )
    return found


def option_words(options: Mapping[str, Any]) -> list[str]:
    """What is otherwise than usual about what is made."""
    words = []
    if not options.get("combine", True):
        words.append("exposures are not combined")
    if not options.get("splice", True):
        words.append("arms are not spliced")
    level = options.get("max_level", int(CalibrationLevel.SAME_RUN))
    if level != int(CalibrationLevel.SAME_RUN):
        words.append(f"calibrations {CalibrationLevel(level).meaning} at worst")
    words += [f"without {LEAVABLE[word][1]}" for word in options.get("without", ()) if word in LEAVABLE]
    return words


def is_open(state: str) -> bool:
    """Whether something is still to happen."""
    return RequestState(state) in OPEN


def is_partly(row: Mapping[str, Any]) -> bool:
    """Whether a request finished without all that was asked for."""
    return bool(row["state"] == RequestState.FINISHED.value and row["parts_failed"] > 0)


def fraction(row: Mapping[str, Any]) -> float:
    """Part of the reductions that have ended, 0 to 1."""
    if not row["parts"]:
        return 0.0 if is_open(row["state"]) else 1.0
    ended = float(row["parts_done"]) + float(row["parts_failed"])
    return min(1.0, ended / float(row["parts"]))


def seconds_left(kinds: Mapping[str, int], queue: Queue) -> float | None:
    """Expected time until a request ends (s): its own reductions and those before it, on the runners there are.

    None when nobody works on it.
    """
    if not queue.slots:
        return None
    known = list(queue.seconds.values())
    usual = sum(known) / len(known) if known else USUAL_SECONDS
    own = sum(number * queue.seconds.get(kind, usual) for kind, number in kinds.items())
    return (own + (queue.ahead or 0) * usual) / queue.slots


def waiting_reason(row: Mapping[str, Any], queue: Queue) -> str:
    """Why a request is not at work, for people; empty when it is, or has ended."""
    state = RequestState(row["state"])
    if state not in OPEN:
        return ""
    if row["cancel_at"] is not None:
        return "It is being cancelled."
    if state is RequestState.INITIALISED:
        return "Its reductions are being planned."
    if not queue.slots:
        return f"No runner of the engine {row['engine']} is there; it goes on when one is started."
    if queue.ahead:
        noun = "reduction comes" if queue.ahead == 1 else "reductions come"
        return f"{queue.ahead} {noun} before: the live night first, then requests in their order."
    return ""


def duration(seconds: float | None) -> str:
    """A time for people."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def elapsed(row: Mapping[str, Any], now: datetime) -> float:
    """Seconds since a request was submitted, or until it ended."""
    return float(((row["finished_at"] or now) - row["submitted_at"]).total_seconds())
