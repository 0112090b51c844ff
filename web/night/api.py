"""Orders and the fields of a night for programs."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from paws.accounts.secrets import new_secret
from paws.errors import InvalidInputError
from paws.orders.order import LONGEST_REASON, MOST_FRAMES, OrderKind
from schemas.reductions import ParameterValue
from web.accounts.address import address_of
from web.accounts.identify import visitor_of
from web.api.endpoint import ApiRoute, Asked
from web.api.models import Answer
from web.night import ordering
from web.night.fields import ArmView, ExposureView, FieldView
from web.problems import ProblemError
from web.storage import night as store


class NewOrder(BaseModel):
    """What is to be done with some frames of a night."""

    model_config = ConfigDict(extra="forbid")

    kind: OrderKind
    frames: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        min_length=1, max_length=MOST_FRAMES, description="Identifiers"
    )
    reason: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_REASON)]
    parameters: dict[str, ParameterValue] | None = Field(
        default=None,
        max_length=100,
        description="With `reduce`: parameters of these frames from now on; none leaves them and only repeats",
    )
    once: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{20,100}$")] | None = Field(
        default=None, description="Sent again with the same value, it is the same order"
    )


class OrderedFrame(Answer):
    """What an order came to for a frame."""

    frame_id: str
    effect: str


class GivenOrder(Answer):
    """An order that was carried out."""

    order_id: str
    frames: list[OrderedFrame]


class BookedOrder(GivenOrder):
    """An order in the book."""

    kind: OrderKind
    parameters: dict[str, ParameterValue]
    reason: str
    who: str = Field(description="Empty for who has no account")
    at: datetime


class OrderBook(Answer):
    """Orders of a night, the newest first, with those of their frames that are seen."""

    night: str
    orders: list[BookedOrder]


class NightWarning(Answer):
    """Something to look after."""

    figure: str
    reason: str
    action: str
    severe: bool


class NightExposure(Answer):
    """An exposure of an arm."""

    frame_id: str
    run: int
    start: datetime
    seconds: float
    product_id: str
    signal_to_noise: float | None
    figures: dict[str, float | None] = Field(description="By name, as /thresholds has them")
    warnings: list[NightWarning]


class NightArm(Answer):
    """One arm of a field."""

    arm: str
    grating: str
    magnitude: float | None = Field(description="At which S/N is judged")
    signal_to_noise: float | None = Field(description="At that magnitude, of all exposures")
    fraction_above_goal: float | None
    targets: int
    minutes: float = Field(description="Exposed and reduced")
    minutes_to_goal: float | None = Field(description="At the rate of the newest exposure")
    reason: str
    exposures: list[NightExposure]


class NightField(Answer):
    """A field of a night."""

    field: str
    plate: int | None
    goal: float | None = Field(description="S/N per Angstrom that is wanted")
    goal_source: str
    arms: list[NightArm]


class NightFields(Answer):
    """Fields of a night, the newest first."""

    night: str
    fields: list[NightField]


async def give_order(asked: Asked) -> GivenOrder:
    """Junk frames, take that back, or reduce them again with parameters."""
    visitor = visitor_of(asked.request)
    if visitor.kind == "nobody":
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "Send a token of your account page.",
            headers={"WWW-Authenticate": 'Bearer realm="PAWS Live"'},
        )
    sent: NewOrder = asked.body
    wish = ordering.Wish(
        asked.path["night"], sent.kind, sent.frames, sent.reason, sent.parameters, sent.once or new_secret()
    )
    try:
        order_id, effects = await ordering.give(asked.state, visitor, address_of(asked.request), wish)
    except InvalidInputError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, error.message) from error
    frames = [OrderedFrame(frame_id=item.frame_id, effect=item.words) for item in effects]
    return GivenOrder(order_id=order_id, frames=frames)


async def order_book(asked: Asked) -> OrderBook:
    """Orders of a night."""
    night, visitor = asked.path["night"], visitor_of(asked.request)
    rows = await store.orders(asked.state.pool, night, visitor.sight)
    known = visitor.kind != "nobody"
    return OrderBook(night=night, orders=[_booked(row, known) for row in rows])


def _booked(row: dict[str, Any], tell_who: bool) -> BookedOrder:
    return BookedOrder(
        **{name: row[name] for name in ("order_id", "kind", "parameters", "reason", "at")},
        who=row["who"] if tell_who else "",
        frames=[OrderedFrame(frame_id=one["frame_id"], effect=one["effect"]) for one in row["frames"]],
    )


async def night_fields(asked: Asked) -> NightFields:
    """Fields of a night: figures of exposures, S/N reached, minutes to the goal."""
    night, state = asked.path["night"], asked.state
    view = await state.nights.view(state.pool, night, asked.sight, state.clock())
    return NightFields(night=night, fields=[_field(field) for field in view.fields])


def _field(view: FieldView) -> NightField:
    return NightField(
        field=view.field,
        plate=view.plate,
        goal=view.goal.signal_to_noise if view.goal else None,
        goal_source=view.goal.source if view.goal else "",
        arms=[_arm(arm) for arm in view.arms],
    )


def _arm(view: ArmView) -> NightArm:
    last = view.growth.steps[-1] if view.growth.steps else None
    return NightArm(
        arm=view.arm,
        grating=view.grating,
        magnitude=view.growth.magnitude,
        signal_to_noise=last.at_goal if last else None,
        fraction_above_goal=last.fraction if last else None,
        targets=view.growth.targets,
        minutes=last.minutes if last else 0.0,
        minutes_to_goal=view.growth.minutes_to_goal,
        reason=view.growth.reason,
        exposures=[_exposure(one) for one in view.exposures],
    )


def _exposure(view: ExposureView) -> NightExposure:
    return NightExposure(
        **{name: getattr(view, name) for name in ("frame_id", "run", "start", "seconds", "product_id")},
        signal_to_noise=view.signal,
        figures=view.figures,
        warnings=[
            NightWarning(figure=one.figure, reason=one.reason, action=one.action, severe=one.severe)
            for one in view.warnings
        ],
    )


NIGHT_API: Final = (
    ApiRoute(
        "/api/nights/{night}/fields",
        "Fields of a night: figures and warnings of exposures, S/N reached, minutes to the goal",
        night_fields,
        NightFields,
    ),
    ApiRoute("/api/nights/{night}/orders", "What people ordered in a night", order_book, OrderBook),
    ApiRoute(
        "/api/nights/{night}/orders",
        "Junk frames, take that back, or reduce them again with parameters",
        give_order,
        GivenOrder,
        method="POST",
        body=NewOrder,
    ),
)
