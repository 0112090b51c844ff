"""The live page and the list of nights."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from paws.clock import night_of
from web.accounts.identify import visitor_of
from web.api.endpoint import parse, path_values
from web.api.handlers import night_snapshot
from web.api.models import Night, ProductSummary
from web.pages.night import STATES_IN_ORDER, count_states, group_frames
from web.pages.render import page
from web.pages.watch import night_view, watch_values
from web.pages.words import for_script
from web.questions import NoQuestion, Paged, ProductQuestion
from web.state import web_state
from web.storage import frames as frame_store
from web.storage import products as product_store
from web.storage import status as status_store

NEWEST_PRODUCTS = 8


async def live(request: Request) -> Response:
    """Tonight, or the night in the address."""
    state, sight = web_state(request), visitor_of(request).sight
    parse(NoQuestion, request)
    chosen = path_values(request).get("night")
    snapshot = await night_snapshot(state, chosen, sight)
    night = snapshot.night or night_of(state.clock(), state.settings.site_longitude)
    rows, _ = await product_store.products(
        state.pool, ProductQuestion(night=night, spectra=True, limit=NEWEST_PRODUCTS), sight
    )
    return page(
        request,
        "live.html",
        night=night,
        tonight=chosen is None,
        seq=snapshot.seq,
        groups=group_frames(snapshot.frames),
        counts=count_states(snapshot.frames),
        states=STATES_IN_ORDER,
        total=len(snapshot.frames),
        rejected=snapshot.rejected,
        notices=await status_store.notices(state.pool, night, sight),
        products=[ProductSummary.model_validate(row) for row in rows],
        script_words=for_script(),
        **watch_values(await night_view(request, night)),
    )


async def nights(request: Request) -> Response:
    """All nights."""
    state = web_state(request)
    ask = parse(Paged, request)
    rows, total = await frame_store.nights(state.pool, ask.limit, ask.offset, visitor_of(request).sight)
    return page(
        request,
        "nights.html",
        nights=[Night.model_validate(row) for row in rows],
        total=total,
        limit=ask.limit,
        offset=ask.offset,
    )
