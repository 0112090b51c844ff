"""An order and what it comes to for each frame. Pure: `paws.orders.book` carries it out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from paws.accounts.audit import Actor
from paws.errors import InvalidInputError
from paws.matching.sighting import Parameters, in_order
from schemas.reductions import ParameterValue

LONGEST_REASON: Final = 500
MOST_FRAMES: Final = 200
_MOST_PARAMETERS: Final = 40


class OrderKind(StrEnum):
    """What is ordered."""

    JUNK = "junk"
    UNJUNK = "unjunk"
    REDUCE = "reduce"

    @property
    def meaning(self) -> str:
        """What people call it."""
        return {"junk": "declared unusable", "unjunk": "declared good again", "reduce": "reduced again"}[self]


@dataclass(frozen=True)
class Order:
    """What somebody orders.

    Attributes
    ----------
    order_id
        Derived from who orders and from the form, so that a form that is sent twice is one order.
    parameters
        Of REDUCE: the parameters that the frames are reduced with from now on, beside those of every reduction.
        None leaves them as they are and repeats the reductions.
    """

    order_id: str
    night: str
    kind: OrderKind
    frame_ids: tuple[str, ...]
    reason: str
    actor: Actor
    at: datetime
    parameters: Mapping[str, ParameterValue] | None = None


@dataclass(frozen=True)
class FrameNow:
    """What an order needs to know of a frame."""

    frame_id: str
    night: str
    name: str
    junked: bool
    junk_reason: str
    parameters: Parameters = ()


@dataclass(frozen=True)
class Effect:
    """What an order comes to for a frame.

    Attributes
    ----------
    action
        ``mark`` says whether the frame is junk, ``set`` gives it parameters, ``repeat`` asks for its reductions
        again, ``nothing`` changes nothing.
    words
        For people.
    """

    frame_id: str
    action: str
    words: str


@dataclass(frozen=True)
class Checked:
    """A reason and parameters that may be used."""

    reason: str
    parameters: dict[str, ParameterValue] | None = field(default=None)


def order_id(actor: Actor, once: str) -> str:
    """Identifier of an order: somebody else's form cannot have the same."""
    return hashlib.sha256(f"{actor.name}\0{once}".encode()).hexdigest()[:32]


def check_reason(text: str) -> str:
    """Reason as it is kept.

    Raises
    ------
    InvalidInputError
        If there is none, or it is too long, or holds characters that cannot be shown.
    """
    reason = " ".join(text.split())
    if not reason:
        raise InvalidInputError("Say why: others will ask.")
    if len(reason) > LONGEST_REASON:
        raise InvalidInputError(f"A reason has at most {LONGEST_REASON} characters.")
    if not reason.isprintable():
        raise InvalidInputError("The reason holds characters that cannot be shown; type it again.")
    return reason


def effects(order: Order, frames: Iterable[FrameNow]) -> list[Effect]:
    """What an order comes to for each frame.

    Raises
    ------
    InvalidInputError
        If a frame is of another night, is missing, or there are too many or none.
    """
    known = {frame.frame_id: frame for frame in frames}
    if not order.frame_ids:
        raise InvalidInputError("Choose at least one frame.")
    if len(order.frame_ids) > MOST_FRAMES:
        raise InvalidInputError(f"An order is for at most {MOST_FRAMES} frames.")
    wrong = [one for one in order.frame_ids if one not in known or known[one].night != order.night]
    if wrong:
        raise InvalidInputError("Some of these are no frames of this night. Load the page again.")
    return [_effect(order, known[one]) for one in order.frame_ids]


def _effect(order: Order, frame: FrameNow) -> Effect:
    if order.kind is OrderKind.JUNK:
        if frame.junked and frame.junk_reason == order.reason:
            return Effect(frame.frame_id, "nothing", "was junked for this reason already")
        return Effect(frame.frame_id, "mark", "junked" if not frame.junked else "junked for another reason")
    if order.kind is OrderKind.UNJUNK:
        if not frame.junked:
            return Effect(frame.frame_id, "nothing", "was not junked")
        return Effect(frame.frame_id, "mark", "good again")
    if frame.junked:
        return Effect(frame.frame_id, "nothing", "is junked, so it is not reduced: take that back first")
    if order.parameters is None:
        return Effect(frame.frame_id, "repeat", "asked for again")
    wanted = in_order(order.parameters)
    if wanted == frame.parameters:
        return Effect(frame.frame_id, "repeat", "has these parameters already; asked for again")
    return Effect(
        frame.frame_id, "set", f"with {in_words(wanted)}" if wanted else "with the usual parameters"
    )


def in_words(parameters: Parameters) -> str:
    """Parameters as people write them."""
    return ", ".join(f"{name} {value}" for name, value in parameters)


_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
RESERVED: Final = frozenset(
    [
        *(
            "IDXFILE",
            "WDIR",
            "OUT_DIRNAME",
            "COMBINEDFILE",
            "OUTPUT_FILE",
            "DO_TLMAP",
            "TASKNAME",
            "COMPLETE",
        ),
        *("ERROR", "USEBIASIM", "USEDARKIM", "USEFLATIM", "USEFFLAT", "KEEP_INTERMEDIATE"),
    ]
)
"""Parameters that PAWS Live decides: with them an order could send files elsewhere, or name other inputs."""


def read_parameters(text: str) -> dict[str, ParameterValue]:
    """Parameters as people type them: ``NAME value``, one a line; a dash before the name and ``=`` are allowed.

    Raises
    ------
    InvalidInputError
        If a line is no parameter, names one that PAWS Live decides, or one twice.
    """
    found: dict[str, ParameterValue] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        name, _, value = line.strip().removeprefix("-").replace("=", " ", 1).partition(" ")
        name, value = name.upper(), value.strip()
        if not _NAME.fullmatch(name) or not value:
            raise InvalidInputError(
                f"{line.strip()[:60]!r} is no parameter: write its name and its value, such as SKYSUB 0."
            )
        if name in found:
            raise InvalidInputError(f"{name} is given twice.")
        found[name] = value
    return check_parameters(found)


def check_parameters(parameters: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """Parameters that an order may set.

    Raises
    ------
    InvalidInputError
        If there are too many, or one is decided by PAWS Live, or a value cannot be passed to a command.
    """
    if len(parameters) > _MOST_PARAMETERS:
        raise InvalidInputError(f"Set at most {_MOST_PARAMETERS} parameters.")
    for name, value in parameters.items():
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"{name[:60]!r} is no parameter name of 2dFdr.")
        if name.upper() in RESERVED or name.upper().endswith("_FILENAME"):
            raise InvalidInputError(f"{name.upper()} is decided by PAWS Live itself. Take it out.")
        text = str(value)
        if (
            not text.isprintable()
            or not text.isascii()
            or len(text) > 200
            or (text.startswith("-") and not _is_number(text))
        ):
            raise InvalidInputError(f"The value of {name.upper()} cannot be passed to a command.")
    return {name.upper(): value for name, value in parameters.items()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
