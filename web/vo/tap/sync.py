"""``/tap/sync``: a query, answered at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from web.state import web_state
from web.vo.problems import ServiceError
from web.vo.tap.answering import Circumstances, answer
from web.vo.tap.asker import asker_of, base_of
from web.vo.tap.asking import TapQuestion, read_question
from web.vo.tap.desk import TapDesk
from web.vo.tap.executor import Asker
from web.vo.tap.parameters import Parameters
from web.vo.tap.receiving import receive
from web.vo.tap.sending import Streamed
from web.vo.tap.turns import TooManyError
from web.vo.tap.uploads import uploaded

LARGEST = 2_000_000_000
"""Bytes of an answer in a format that has to be written whole before it is sent."""


async def sync(request: Request) -> Response:
    """Answer a query."""
    state = web_state(request)
    settings = state.settings
    parameters = await receive(request)
    try:
        question = read_question(parameters, settings, request.headers.get("accept"))
    except ServiceError:
        parameters.discard()
        raise
    pieces = at_once(state.tap, question, parameters, asker_of(request), base_of(request))
    return Streamed(pieces, question.choice.content_type, settings.tap_answer_timeout)


async def at_once(
    desk: TapDesk, question: TapQuestion, parameters: Parameters, asker: Asker, base_url: str
) -> AsyncGenerator[bytes, None]:
    """Pieces of the answer to a question, in its asker's turn and with what came along. Files are discarded after.

    Raises
    ------
    ServiceError
        Before the first piece, with words for whoever asked.
    """
    settings = desk.settings
    under = Circumstances(base_url, settings.tap_sync_timeout, True, "paws tap sync", LARGEST)
    try:
        async with (
            uploaded(question.uploads, parameters.files, settings) as load,
            desk.turns.turn(asker.key),
            aclosing(answer(desk.queries, settings, question, asker, under, load)) as pieces,
        ):
            async for piece in pieces:
                yield piece
    except TooManyError as error:
        raise ServiceError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"You have {settings.tap_sync_waiting} queries waiting already. Wait for some of them, or send jobs "
            "to /tap/async.",
            {"Retry-After": "10"},
        ) from error
    finally:
        parameters.discard()
