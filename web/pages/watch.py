"""The pages of a night: its timeline and readiness, its fields, its matrix; thresholds and goals."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from paws.access.rule import proposal_key
from paws.accounts.audit import note
from paws.errors import InvalidInputError
from paws.nightwatch.growth import Goal, is_night
from paws.nightwatch.judge import MEANINGS
from paws.nightwatch.thresholds import history, in_force
from web.accounts.address import address_of
from web.accounts.forms import Form, read_form
from web.accounts.identify import visitor_of
from web.accounts.visitor import Visitor
from web.api.endpoint import parse, path_values
from web.night.desk import NightView
from web.night.drawing import PLOT_HEIGHT, PLOT_WIDTH, draw_growth, draw_signal
from web.night.fields import SHOWN
from web.night.matrix import STAGES, age_words, matrix
from web.pages.render import page
from web.problems import ProblemError
from web.questions import NoQuestion, Question
from web.state import web_state
from web.storage import night as store

_SEE_OTHER: Final = 303


class PartQuestion(Question):
    """Whether the part that changes is wanted alone, to take the place of what is shown."""

    part: bool = Field(default=False, description="Only what changes as the night goes on")


async def night_view(request: Request, night: str, *, newest: bool = False) -> NightView:
    """A night as the visitor may see it; with what was just announced, for parts that are asked for because of it."""
    state = web_state(request)
    sight = visitor_of(request).sight
    return await state.nights.view(state.pool, night, sight, state.clock(), newest=newest)


def watch_values(view: NightView) -> dict[str, Any]:
    """What the template of a night's head needs."""
    newest = view.fields[0] if view.fields else None
    grown = draw_growth(newest.arms, newest.goal) if newest is not None else None
    return {"view": view, "newest": newest, "grown": grown, "size": (PLOT_WIDTH, PLOT_HEIGHT)}


async def watch(request: Request) -> Response:
    """Timeline, readiness and warnings: the head of the night's page, alone."""
    parse(NoQuestion, request)
    view = await night_view(request, path_values(request)["night"], newest=True)
    return page(request, "night_watch.html", night=view.night, **watch_values(view))


async def fields(request: Request) -> Response:
    """The fields of a night: what exposures reached, and what is still to come."""
    part = parse(PartQuestion, request).part
    view = await night_view(request, path_values(request)["night"], newest=part)
    plots = {
        field.key: (draw_signal(field.arms, field.goal), draw_growth(field.arms, field.goal))
        for field in view.fields
    }
    return page(
        request,
        "night_fields_part.html" if part else "night_fields.html",
        night=view.night,
        view=view,
        plots=plots,
        size=(PLOT_WIDTH, PLOT_HEIGHT),
        shown=SHOWN,
        meanings=MEANINGS,
    )


async def matrix_page(request: Request) -> Response:
    """Each frame of a night, and how far it is."""
    part = parse(PartQuestion, request).part
    state, visitor = web_state(request), visitor_of(request)
    view = await night_view(request, path_values(request)["night"], newest=part)
    return page(
        request,
        "night_matrix_part.html" if part else "night_matrix.html",
        night=view.night,
        rows=matrix(view.frames, view.products, state.clock()),
        stages=STAGES,
        age=age_words,
        may_order=visitor.may_write(),
    )


async def thresholds(request: Request) -> Response:
    """Thresholds with their dates and sources, and goals."""
    parse(NoQuestion, request)
    return await _thresholds_page(request)


async def _thresholds_page(request: Request, status: int = 200, problem: str = "") -> Response:
    state, visitor = web_state(request), visitor_of(request)
    tonight = state.clock().strftime("%Y%m%d")
    own = _own_proposals(visitor)
    counted = {
        id(item)
        for arm, grating in (("blue", ""), ("red", ""))
        for item in in_force(state.nights.thresholds, tonight, arm, grating).values()
    }
    return page(
        request,
        "thresholds.html",
        status,
        thresholds=[(item, id(item) in counted) for item in history(state.nights.thresholds)],
        meanings=MEANINGS,
        goals=await store.goals(state.pool, own),
        proposals=own,
        may_set_all=visitor.may_write("") or visitor.kind == "open",
        may_set=visitor.may_write(),
        problem=problem,
        tonight=tonight,
    )


def _own_proposals(visitor: Visitor) -> list[str] | None:
    """Proposals whose goals somebody may see; None is all."""
    if visitor.sight.everything:
        return None
    return sorted(visitor.person.proposals) if visitor.person else []


async def set_goal(request: Request) -> Response:
    """Set the goal of a proposal, or that of all that have none, from a night on."""
    visitor, state = visitor_of(request), web_state(request)
    sent = await read_form(request)
    proposal = proposal_key(sent["proposal"])
    if (sent["proposal"].strip() and not proposal) or not visitor.may_write(proposal):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "Goals are set by members of the proposal, and by administrators."
        )
    try:
        goal = read_goal(sent, visitor)
    except InvalidInputError as error:
        return await _thresholds_page(request, int(HTTPStatus.UNPROCESSABLE_ENTITY), error.message)
    actor = visitor.actor(address_of(request))
    async with state.pool.acquire() as connection, connection.transaction():
        await store.set_goal(connection, proposal, goal, actor.name)
        await note(
            connection,
            actor,
            "goal set",
            proposal or "all proposals",
            since=goal.since,
            signal_to_noise=goal.signal_to_noise,
            magnitude=goal.magnitude,
            share=goal.share,
        )
    return RedirectResponse("/thresholds#goals", _SEE_OTHER)


def read_goal(sent: Form, visitor: Visitor) -> Goal:
    """Goal in a form.

    Raises
    ------
    InvalidInputError
        If a value is none, or lies outside of what makes sense.
    """
    since = sent["from"].replace("-", "")
    if not is_night(since):
        raise InvalidInputError("The first night is a date, such as 2026-03-12.")
    source = " ".join(sent["source"].split())
    if len(source) > 200 or not source.isprintable():
        raise InvalidInputError("The reason has at most 200 characters that can be shown.")
    name = visitor.person.name if visitor.person else "the observers"
    return Goal(
        _number(sent["signal_to_noise"], "S/N", 0.01, 1000.0),
        None if not sent["magnitude"].strip() else _number(sent["magnitude"], "The magnitude", -5.0, 40.0),
        _number(sent["share"], "The share", 1.0, 100.0) / 100.0,
        since,
        source or f"set by {name}",
    )


def _number(text: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text) if len(text) <= 20 else float("nan")
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InvalidInputError(f"{what} is a number from {low:g} to {high:g}.")
    return value


def night_routes() -> list[Route]:
    """Routes of the pages of a night. Whatever changes something is POST."""
    from web.pages import orders

    read = [
        ("/nights/{night}/watch", watch, "night_watch"),
        ("/nights/{night}/fields", fields, "night_fields"),
        ("/nights/{night}/matrix", matrix_page, "night_matrix"),
        ("/nights/{night}/orders", orders.orders, "night_orders"),
        ("/thresholds", thresholds, "thresholds"),
    ]
    write = [
        ("/nights/{night}/orders", orders.submit, "order"),
        ("/thresholds", set_goal, "goal"),
    ]
    return [
        *(Route(path, handler, methods=["GET"], name=f"page:{name}") for path, handler, name in read),
        *(Route(path, handler, methods=["POST"], name=f"post:{name}") for path, handler, name in write),
    ]
