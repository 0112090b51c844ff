"""From what somebody sent, by a form or as JSON, to a request: checked, with what is wrong named."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from paws.accounts.audit import Actor
from paws.accounts.secrets import new_secret
from paws.engines import BUILTIN, EngineReference, engine_reference
from paws.errors import ConfigurationError, InvalidInputError
from paws.matching.policy import MatchPolicy
from paws.requests import orders
from paws.requests.orders import MOST_FRAMES_BY_QUERY, Submission
from paws.requests.webhooks import WebhookRefusedError, read_networks, read_target, refusal
from paws.requests.wish import LEAVABLE, Options, Wish
from paws.settings import Settings
from schemas.parameters import ParameterError, read_values
from web.accounts.visitor import Visitor
from web.api.models import ProblemField
from web.requests.questions import LONGEST_TITLE, NewRequest
from web.state import WebState
from web.storage import requests as store


class SubmissionError(InvalidInputError):
    """What was sent cannot be made a request.

    Attributes
    ----------
    fields
        What is wrong, by the field's name.
    """

    code = "submission"

    def __init__(self, fields: Sequence[ProblemField]) -> None:
        self.fields = list(fields)
        super().__init__("; ".join(f"{item.name}: {item.detail}" for item in self.fields))


@dataclass(frozen=True)
class Draft:
    """A request as somebody fills it in: texts as they came, so that a form can show them again."""

    frames: tuple[str, ...]
    engine: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    combine: bool = True
    splice: bool = True
    max_level: str = ""
    without: tuple[str, ...] = ()
    title: str = ""
    mail: bool = False
    webhook: str = ""
    nonce: str = ""
    cloned_from: str | None = None


def engines(settings: Settings) -> list[EngineReference]:
    """Engines that a request may name, the usual one first."""
    found = []
    for name in dict.fromkeys((settings.engine, BUILTIN, *settings.engines)):
        # One that is set wrongly is `paws doctor`'s matter.
        with suppress(ConfigurationError):
            found.append(engine_reference(settings, name))
    return found


def usual_engine(settings: Settings, nights: Iterable[str]) -> str:
    """Engine that reduces some nights live; that of the settings where they differ."""
    policy = MatchPolicy.of(settings)
    found = {policy.of_night(night).engine for night in nights}
    return found.pop() if len(found) == 1 else settings.engine


def draft_of(sent: NewRequest, frames: Iterable[str]) -> Draft:
    """Draft of what a program sent."""
    return Draft(
        tuple(frames),
        sent.engine,
        dict(sent.parameters),
        sent.combine,
        sent.splice,
        str(sent.max_level),
        tuple(sent.without),
        sent.title,
        sent.mail,
        sent.webhook,
        sent.nonce,
    )


def wish_of(
    draft: Draft, gratings: Iterable[str], nights: Iterable[str], settings: Settings
) -> tuple[Wish | None, list[ProblemField]]:
    """What somebody wants, and what is wrong with it. Pure."""
    wrong: list[ProblemField] = []
    known = {item.name: item for item in engines(settings)}
    engine = known.get(draft.engine or usual_engine(settings, nights))
    if engine is None:
        wrong.append(ProblemField(name="engine", detail=f"choose one of {', '.join(known)}"))
    values = {}
    try:
        values = read_values(
            draft.parameters,
            sorted(set(gratings)),
            builtin=engine is None or engine.kind == "builtin",
            site=settings.engine_parameters,
        )
    except ParameterError as error:
        wrong.append(ProblemField(name=error.name, detail=error.reason))
    for word in draft.without:
        if word not in LEAVABLE:
            wrong.append(ProblemField(name="without", detail=f"choose of {', '.join(LEAVABLE)}"))
            break
    options: Options | None = None
    try:
        options = Options(
            combine=draft.combine,
            splice=draft.splice,
            max_level=int(draft.max_level or settings.match_max_level),
            without=tuple(sorted(set(draft.without))) if not wrong else (),
        )
    except (ValidationError, ValueError):
        wrong.append(ProblemField(name="max_level", detail="a calibration level is 0 to 4"))
    if wrong or engine is None or options is None:
        return None, wrong
    return Wish(engine.name, engine.version, values, options), []


def check_webhook(url: str, settings: Settings) -> str | None:
    """What is wrong with a webhook's address, as far as its text tells; names are resolved when it is sent."""
    try:
        target = read_target(url)
    except WebhookRefusedError as error:
        return error.message
    try:
        address = ipaddress.ip_address(target.host)
    except ValueError:
        return None
    reason = refusal(address, read_networks(settings.webhook_networks))
    return f"it is not told anything: {reason}" if reason else None


async def submission_of(draft: Draft, state: WebState, visitor: Visitor) -> Submission:
    """A request to submit, its frames looked at with the eyes of whoever asks.

    Raises
    ------
    SubmissionError
        If anything is wrong; everything that is wrong is named.
    """
    settings = state.settings
    wrong: list[ProblemField] = []
    rows = await store.chosen(state.pool, draft.frames, visitor.sight)
    lacking = len(dict.fromkeys(draft.frames)) - len(rows)
    if not draft.frames:
        wrong.append(ProblemField(name="frames", detail="choose at least one frame"))
    elif len(draft.frames) > MOST_FRAMES_BY_QUERY:
        wrong.append(
            ProblemField(name="frames", detail=f"a request has at most {MOST_FRAMES_BY_QUERY} frames")
        )
    elif lacking:
        wrong.append(ProblemField(name="frames", detail=f"{lacking} of them do not exist"))
    gratings, nights = {row["grating"] for row in rows} - {""}, {row["night"] for row in rows}
    wish, more = wish_of(draft, gratings, nights, settings)
    wrong += more
    title = " ".join(draft.title.split())
    if len(title) > LONGEST_TITLE or not title.isprintable():
        wrong.append(ProblemField(name="title", detail=f"at most {LONGEST_TITLE} printable characters"))
    mail = _address(visitor, settings) if draft.mail else ""
    if draft.mail and not mail:
        wrong.append(ProblemField(name="mail", detail="your account has no mail address"))
    if draft.webhook and (detail := check_webhook(draft.webhook, settings)):
        wrong.append(ProblemField(name="webhook", detail=detail))
    if wrong or wish is None:
        raise SubmissionError(wrong)
    return Submission(
        [row["frame_id"] for row in rows],
        wish,
        draft.nonce or new_secret(),
        title,
        mail,
        draft.webhook,
        draft.cloned_from,
    )


def _address(visitor: Visitor, settings: Settings) -> str:
    if visitor.person is not None:
        return visitor.person.email
    return settings.mail_to


async def submit(
    submission: Submission, state: WebState, visitor: Visitor, address: str, at: datetime
) -> str:
    """Submit a request; returns its identifier.

    Raises
    ------
    OrderError
        If it cannot be taken as things stand.
    """
    actor: Actor = visitor.actor(address)
    async with state.pool.acquire() as connection, connection.transaction():
        return await orders.submit(connection, submission, visitor.account_id, actor, at)
