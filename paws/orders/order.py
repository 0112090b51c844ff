"""An order and what it comes to for each frame. Pure: `paws.orders.book` carries it out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from paws.accounts.audit import Actor
from paws.errors import InvalidInputError
from paws.matching.sighting import Parameters, in_order
from schemas.parameters import PARAMETERS, Parameter, ParameterError, read_values
from schemas.parameters import in_words as value_in_words
from schemas.reductions import ParameterValue
from schemas.vocabulary import FrameClass, ReductionKind

LONGEST_REASON: Final = 500
MOST_FRAMES: Final = 200


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
    return ", ".join(f"{name} {value_in_words(value)}" for name, value in parameters)


KINDS_OF_CLASS: Final[dict[FrameClass, tuple[ReductionKind, ...]]] = {
    FrameClass.BIAS: (ReductionKind.REDUCE_BIAS,),
    FrameClass.DARK: (ReductionKind.REDUCE_DARK,),
    FrameClass.LFLAT: (ReductionKind.REDUCE_LFLAT,),
    FrameClass.MFFFF: (ReductionKind.MAKE_TLM, ReductionKind.REDUCE_FFLAT),
    FrameClass.MFARC: (ReductionKind.REDUCE_ARC,),
    FrameClass.MFSKY: (ReductionKind.REDUCE_SKY,),
    FrameClass.MFOBJECT: (ReductionKind.REDUCE_OBJECT,),
    FrameClass.MFFLX: (ReductionKind.REDUCE_OBJECT,),
}
"""Reductions of a single frame, by its class."""


def offered(classes: Iterable[FrameClass]) -> list[Parameter]:
    """Parameters that concern the reductions of frames of some classes."""
    kinds = {kind for one in classes for kind in KINDS_OF_CLASS[one]}
    return [parameter for parameter in PARAMETERS if parameter.concerns & kinds]


def check_parameters(
    given: Mapping[str, object],
    classes: Collection[FrameClass],
    gratings: Collection[str],
    *,
    builtin: bool,
) -> dict[str, ParameterValue]:
    """Parameters that an order sets, checked; without those that are the default.

    Parameters
    ----------
    classes, gratings
        Of the frames concerned.

    Raises
    ------
    InvalidInputError
        If one is unknown, has a wrong value, or concerns none of the frames.
    """
    try:
        values = read_values(given, gratings, builtin=builtin)
    except ParameterError as error:
        raise InvalidInputError(f"Parameter {error.name}: {error.reason}.") from error
    known = {parameter.name for parameter in offered(classes)}
    for name in values:
        if name not in known:
            raise InvalidInputError(f"Parameter {name} does not concern the reduction of these frames.")
    return values
