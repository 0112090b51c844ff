"""Taking an order, from a form or from a program: who may, for which frames, carried out once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from paws.engines import engine_reference
from paws.errors import InvalidInputError
from paws.matching.policy import MatchPolicy
from paws.orders.book import carry_out
from paws.orders.order import MOST_FRAMES, Effect, Order, OrderKind, check_parameters, check_reason, order_id
from schemas.reductions import ParameterValue
from schemas.vocabulary import FrameClass
from web.accounts.visitor import Visitor
from web.api.endpoint import PATH_PATTERNS
from web.problems import NotFoundError, ProblemError
from web.state import WebState
from web.storage import night as store

_ONCE: Final = re.compile(r"[A-Za-z0-9_-]{20,100}")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Wish:
    """What somebody wants, unchecked.

    Attributes
    ----------
    parameters
        None leaves those of the frames as they are, and only repeats.
    once
        The same value makes the same order of it, however often it comes.
    """

    night: str
    kind: str
    frame_ids: Sequence[str]
    reason: str
    parameters: Mapping[str, object] | None
    once: str


def check_frames(given: Sequence[str]) -> list[str]:
    """Identifiers of frames, each once.

    Raises
    ------
    NotFoundError, ProblemError
        If one is none, or there are too many.
    """
    chosen = list(dict.fromkeys(given))
    if len(chosen) > MOST_FRAMES:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"An order is for at most {MOST_FRAMES} frames.")
    if not all(re.match(PATH_PATTERNS["frame_id"], one) for one in chosen):
        raise NotFoundError("There is no such frame in this night.")
    return chosen


async def give(state: WebState, visitor: Visitor, address: str, wish: Wish) -> tuple[str, list[Effect]]:
    """Take an order and carry it out; gives its identifier and what it came to.

    Raises
    ------
    NotFoundError
        If a frame is not there, or is not theirs to see: one answer for both.
    ProblemError
        403 if they may not change one of them.
    InvalidInputError
        If the wish cannot be carried out as it is.
    """
    chosen = check_frames(wish.frame_ids)
    rows = await store.frames_to_order(state.pool, wish.night, chosen, visitor.sight)
    if not chosen or len(rows) < len(chosen):
        raise NotFoundError("There is no such frame in this night.")
    if not all(visitor.may_write(row["owner"]) for row in rows):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "Frames are junked and reduced again by members of their proposal, and by administrators; "
            "calibrations of the detectors by administrators.",
        )
    order = _order(state, visitor, address, wish, rows)
    async with state.pool.acquire() as connection:
        effects = await carry_out(connection, order)
    state.nights.forget(wish.night)
    return order.order_id, effects


def _order(state: WebState, visitor: Visitor, address: str, wish: Wish, rows: Sequence[Row]) -> Order:
    if wish.kind not in set(OrderKind):
        raise InvalidInputError("Choose what is to be done.")
    if not _ONCE.fullmatch(wish.once):
        raise InvalidInputError("The form is too old. Send it again.")
    kind, actor = OrderKind(wish.kind), visitor.actor(address)
    return Order(
        order_id(actor, wish.once),
        wish.night,
        kind,
        tuple(row["frame_id"] for row in rows),
        check_reason(wish.reason),
        actor,
        state.clock(),
        _parameters(state, wish, rows) if kind is OrderKind.REDUCE else None,
    )


def _parameters(state: WebState, wish: Wish, rows: Sequence[Row]) -> dict[str, ParameterValue] | None:
    if wish.parameters is None:
        return None
    policy = MatchPolicy.of(state.settings).of_night(wish.night)
    return check_parameters(
        wish.parameters,
        {FrameClass(row["frame_class"]) for row in rows},
        [row["grating"] for row in rows],
        builtin=engine_reference(state.settings, policy.engine).kind == "builtin",
    )
