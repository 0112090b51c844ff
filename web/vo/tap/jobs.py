"""``/tap/async``: jobs of UWS 1.1, over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from time import monotonic
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from paws.vo import jobs as store
from paws.vo import uws
from paws.vo.jobs import Job, job_folder, result_file
from paws.vo.uws import Phase
from web.accounts.identify import visitor_of
from web.state import WebState, web_state
from web.vo.formats.xml import error_document
from web.vo.problems import (
    MEDIA_TYPE,
    BadRequestError,
    NoSuchThingError,
    ServiceError,
)
from web.vo.tap.asker import asker_of, base_of
from web.vo.tap.asking import run_id_of
from web.vo.tap.job_documents import job_document, list_document, parameters_document, results_document
from web.vo.tap.parameters import Parameters
from web.vo.tap.receiving import receive
from web.vo.tap.uploads import keep_parts
from web.vo.xml import moment

XML: Final = "text/xml; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
LONGEST_WAIT: Final = 60.0
"""Seconds that a question with WAIT is held back at most."""
_LOOK_AGAIN: Final = 1.0
_MOST_LISTED: Final = 1000
_CONTROLS: Final = frozenset({"PHASE", "ACTION", "EXECUTIONDURATION", "DESTRUCTION", "WAIT"})
"""Parameters that are about the job, not of its query."""
_MOST_TEXT: Final = 2_000_000
"""Characters of all parameters of a job."""


async def jobs(request: Request) -> Response:
    """The jobs of whoever asks, or a new one."""
    return await (_create(request) if request.method == "POST" else _list(request))


async def job(request: Request) -> Response:
    """A job: told, changed or destroyed."""
    state, found = await _found(request)
    if request.method == "DELETE":
        return await _destroy(state, request, found)
    if request.method == "POST":
        parameters = await receive(request)
        action = parameters.one("ACTION")
        if action is not None:
            parameters.discard()
            if action.strip().upper() != "DELETE":
                raise BadRequestError(f"ACTION is DELETE, not {action[:40]!r}.")
            return await _destroy(state, request, found)
        await _change(state, found, parameters)
        return _see(request, found)
    found = await _waited(state, request, found)
    return _xml(job_document(found, _address(request, found), _owner(request, found)))


async def part(request: Request) -> Response:
    """A part of a job, told or set."""
    name = str(request.path_params["part"])
    state, found = await _found(request)
    if request.method == "POST":
        if name not in ("phase", "executionduration", "destruction", "parameters"):
            raise ServiceError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{name[:40]!r} cannot be set.", {"Allow": "GET"}
            )
        await _change(state, found, await receive(request))
        return _see(request, found)
    if name not in _PARTS:
        raise NoSuchThingError(f"A job has no {name[:40]!r}; it has {', '.join(_PARTS)}.")
    if name == "phase":
        found = await _waited(state, request, found)
    return _PARTS[name](request, found)


async def result(request: Request) -> Response:
    """The result of a job."""
    state, found = await _found(request)
    if found.phase is not Phase.COMPLETED:
        raise NoSuchThingError(f"The job has no result: it is {found.phase.value}.")
    path = result_file(state.settings, found)
    if not path.is_file():
        raise NoSuchThingError("The result of this job is not there any more. Make a new job.")
    # Not for a browser to run, whatever it holds.
    return FileResponse(path, media_type=found.media_type, headers={"Cache-Control": "private"})


# ---- Parts ---------------------------------------------------------------------------------------------------


def _error(_request: Request, found: Job) -> Response:
    if found.error is None:
        return _text("The job has no error." if found.phase is not Phase.ABORTED else "The job was aborted.")
    return Response(error_document(found.error), 200, None, MEDIA_TYPE)


_PARTS: Final[dict[str, Callable[[Request, Job], Response]]] = {
    "phase": lambda _request, found: _text(found.phase.value),
    "executionduration": lambda _request, found: _text(str(found.execution_duration)),
    "destruction": lambda _request, found: _text(moment(found.destruction) or ""),
    "quote": lambda _request, _found: _text(""),
    "owner": lambda request, found: _text(_owner(request, found) or ""),
    "parameters": lambda _request, found: _xml(parameters_document(found)),
    "results": lambda request, found: _xml(results_document(found, _address(request, found))),
    "error": _error,
}


# ---- What is done --------------------------------------------------------------------------------------------


async def _list(request: Request) -> Response:
    state, asker = web_state(request), asker_of(request)
    address = f"{base_of(request)}/tap/async"
    if asker.account_id is None and state.settings.needs_accounts:
        # Nobody's jobs are for those who know their names.
        return _xml(list_document([], address, None))
    phases = [value.strip().upper() for value in _all(request, "PHASE")]
    unknown = [phase for phase in phases if phase not in uws.ALL_PHASES]
    if unknown:
        raise BadRequestError(f"PHASE {unknown[0][:40]!r} is none of {', '.join(uws.ALL_PHASES)}.")
    after, last = _one(request, "AFTER"), _one(request, "LAST")
    try:
        since = None if after is None else uws.read_moment(after)
        most = _MOST_LISTED if last is None else max(0, min(int(last), _MOST_LISTED))
    except ValueError as error:
        raise BadRequestError(
            "AFTER is a moment as 2026-11-22T18:00:00Z, and LAST a whole number."
        ) from error
    found = await store.of_account(state.pool, asker.account_id, state.clock(), phases, since, most)
    return _xml(list_document(found, address, _owner(request, found[0]) if found else None))


async def _create(request: Request) -> Response:
    state, asker = web_state(request), asker_of(request)
    settings = state.settings
    parameters = await receive(request)
    try:
        await _check_room(state, asker.key, parameters, jobs=1)
        now = state.clock()
        new = Job(
            job_id=secrets.token_hex(16),
            account_id=asker.account_id,
            asker=asker.key,
            shares=asker.shares,
            base_url=base_of(request),
            run_id=run_id_of(parameters),
            parameters=_kept(parameters),
            phase=Phase.PENDING,
            execution_duration=_duration(parameters, state) or int(settings.tap_async_timeout),
            created_at=now,
            destruction=_destruction(parameters, state) or now + timedelta(seconds=settings.tap_destruction),
            upload_bytes=parameters.size,
        )
        keep_parts(job_folder(settings, new.job_id), parameters.files)
        await store.add(state.pool, new)
    finally:
        parameters.discard()
    phase = parameters.one("PHASE")
    if phase is not None:
        await _set_phase(state, new, phase)
    return _see(request, new)


async def _check_room(state: WebState, asker: str, parameters: Parameters, *, jobs: int) -> None:
    """Refuse another job, or more uploads, of a user who has as much as they may."""
    settings = state.settings
    count, size = await store.count_of(state.pool, asker)
    if jobs and count + jobs > settings.tap_jobs_per_user:
        raise ServiceError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"You have {count} jobs, and may have {settings.tap_jobs_per_user}. Delete some of them.",
        )
    if parameters.size and size + parameters.size > settings.tap_user_size * 1_000_000:
        raise ServiceError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"Uploads and results of your jobs would take more than {settings.tap_user_size} MB. Delete some of them.",
        )


async def _change(state: WebState, found: Job, parameters: Parameters) -> None:
    """Set what a request asks to be set, then the phase."""
    try:
        await _set(state, found, parameters)
    finally:
        parameters.discard()
    phase = parameters.one("PHASE")
    if phase is not None:
        await _set_phase(state, found, phase)


async def _set(state: WebState, found: Job, parameters: Parameters) -> None:
    duration = _duration(parameters, state)
    if duration is not None:
        _refuse(found, "EXECUTIONDURATION")
        await store.set_duration(state.pool, found.job_id, duration)
    destruction = _destruction(parameters, state)
    if destruction is not None:
        await store.set_destruction(state.pool, found.job_id, destruction)
    given = _kept(parameters)
    if not given:
        return
    _refuse(found, given[0][0])
    run_id_of(parameters)
    await _check_room(state, found.asker, parameters, jobs=0)
    uploaded = parameters.size
    keep_parts(job_folder(state.settings, found.job_id), parameters.files)
    replaced = {name for name, _value in given} - {"UPLOAD"}
    merged = (*((name, value) for name, value in found.parameters if name not in replaced), *given)
    _check_size(merged)
    if not await store.set_parameters(state.pool, found, merged, uploaded):
        raise BadRequestError("The job is not PENDING any more.")


async def _set_phase(state: WebState, found: Job, wanted: str) -> None:
    change = uws.ask_phase(found.phase, wanted.strip())
    if change.refusal:
        raise BadRequestError(change.refusal)
    if change.phase is None:
        return
    if not await store.change_phase(state.pool, found.job_id, found.phase, change.phase, state.clock()):
        # It moved on meanwhile: decide again, once.
        again = await store.find(state.pool, found.job_id, state.clock())
        if again is None or again.phase is found.phase:
            return
        await _set_phase(state, again, wanted)
        return
    if change.phase is Phase.QUEUED:
        state.tap.jobs.wake()
    else:
        state.tap.jobs.stop(found.job_id)
        await store.stop_query(state.pool, found.job_id)
    state.tap.bell.ring(found.job_id)


async def _destroy(state: WebState, request: Request, found: Job) -> Response:
    state.tap.jobs.stop(found.job_id)
    await store.destroy(state.pool, state.settings, found.job_id)
    state.tap.bell.ring(found.job_id)
    return _redirect(f"{base_of(request)}/tap/async")


async def _waited(state: WebState, request: Request, found: Job) -> Job:
    """The job, after the wait that a request asks for."""
    try:
        wait = uws.ask_wait(found.phase, _one(request, "WAIT"), _one(request, "PHASE"), LONGEST_WAIT)
    except ValueError as error:
        raise BadRequestError(f"{error}.") from error
    if wait is None:
        return found
    end = monotonic() + wait.seconds
    while found.phase is wait.phase and (left := end - monotonic()) > 0:
        await state.tap.bell.wait(found.job_id, min(left, _LOOK_AGAIN))
        again = await store.find(state.pool, found.job_id, state.clock())
        if again is None:
            raise NoSuchThingError("The job was destroyed.")
        found = again
    return found


# ---- What requests say ---------------------------------------------------------------------------------------


async def _found(request: Request) -> tuple[WebState, Job]:
    state = web_state(request)
    found = await store.find(state.pool, str(request.path_params["job_id"])[:64], state.clock())
    mine = found is not None and (
        found.account_id is None or found.account_id == asker_of(request).account_id
    )
    if found is None or not mine:
        raise NoSuchThingError("There is no such job: it was destroyed, or never was.")
    return state, found


def _kept(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    kept = tuple((name, value) for name, value in parameters.items if name not in _CONTROLS)
    _check_size(kept)
    return kept


def _check_size(parameters: Sequence[tuple[str, str]]) -> None:
    if sum(len(name) + len(value) for name, value in parameters) > _MOST_TEXT:
        raise BadRequestError(f"The parameters of a job have more than {_MOST_TEXT} characters.")


def _duration(parameters: Parameters, state: WebState) -> int | None:
    text = parameters.one("EXECUTIONDURATION")
    if text is None:
        return None
    try:
        return uws.bounded_duration(int(float(text)), state.settings.tap_async_timeout_max)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"EXECUTIONDURATION is a number of seconds, not {text[:40]!r}.") from error


def _destruction(parameters: Parameters, state: WebState) -> datetime | None:
    text = parameters.one("DESTRUCTION")
    if text is None:
        return None
    try:
        wanted = uws.read_moment(text)
    except ValueError as error:
        raise BadRequestError(f"DESTRUCTION: {error}.") from error
    return uws.bounded_destruction(wanted, state.clock(), state.settings.tap_destruction_max)


def _refuse(found: Job, name: str) -> None:
    reason = uws.refuse_setting(found.phase, name)
    if reason:
        raise BadRequestError(reason)


def _all(request: Request, name: str) -> list[str]:
    return [value for key, value in request.query_params.multi_items() if key.upper() == name]


def _one(request: Request, name: str) -> str | None:
    return next(iter(_all(request, name)), None)


# ---- Answers -------------------------------------------------------------------------------------------------


def _owner(request: Request, found: Job) -> str | None:
    person = visitor_of(request).person
    return person.name if person is not None and person.account_id == found.account_id else None


def _address(request: Request, found: Job) -> str:
    return f"{base_of(request)}/tap/async/{found.job_id}"


def _see(request: Request, found: Job) -> Response:
    return _redirect(_address(request, found))


def _redirect(address: str) -> Response:
    return Response(None, HTTPStatus.SEE_OTHER, {"Location": address})


def _xml(text: bytes) -> Response:
    return Response(text, 200, {"Cache-Control": "no-store"}, XML)


def _text(text: str) -> Response:
    return Response(text, 200, {"Cache-Control": "no-store"}, TEXT)
