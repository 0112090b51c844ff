"""The web server as a program speaks to it about requests: with deadlines, and patience where nothing is lost."""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self

import httpx

from paws.embedded.runtime import read_runtime
from paws.errors import ConfigurationError, InvalidInputError, PermanentError, ServiceUnavailableError
from paws.settings import Settings

DEADLINE: Final = 30.0
"""Longest wait for one answer, s."""
TRIES: Final = 5
FIRST_LOOK, LAST_LOOK = 0.5, 10.0
"""Between two looks at a request, s: longer and longer."""

_ID: Final = re.compile(r"[0-9a-f]{16}")


def address_of(url: str | None, settings: Settings) -> str:
    """Address of the web server.

    Raises
    ------
    ConfigurationError
        If none is known.
    """
    runtime = read_runtime(settings.data_dir)
    found = url or settings.web_url or (runtime.web_url if runtime is not None else "")
    if not found:
        raise ConfigurationError(
            "No web server is known. Set PAWS_WEB_URL, give --url, or --data of a running system."
        )
    if not found.startswith(("http://", "https://")):
        raise ConfigurationError(f"{found!r} is no address; it begins with https:// or http://.")
    return found.rstrip("/")


def selection(
    nights: Sequence[str],
    first_night: str | None,
    last_night: str | None,
    fields: Sequence[str],
    classes: Sequence[str],
    arms: Sequence[str],
) -> dict[str, Any]:
    """What the options choose, as the interface reads it; empty if they choose nothing."""
    chosen: dict[str, Any] = {}
    if nights:
        chosen["nights"] = list(nights)
    if first_night:
        chosen["first_night"] = first_night
    if last_night:
        chosen["last_night"] = last_night
    if fields:
        chosen["fields"] = list(fields)
    if not chosen:
        return {}
    if classes:
        chosen["classes"] = list(classes)
    if arms:
        chosen["arms"] = list(arms)
    return chosen


def has_ended(found: dict[str, Any]) -> bool:
    """Whether nothing more is to happen."""
    return found["state"] in ("Finished", "Failed", "Cancelled")


class RequestClient:
    """Asks the web server. Use it as a context.

    Parameters
    ----------
    base
        Address without a slash at its end.
    token
        Empty where access is open.
    transport
        Another way than the network, for tests.
    """

    def __init__(
        self,
        base: str,
        token: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._base, self._sleep, self._clock = base, sleep, clock
        # Redirections are not followed: a token goes where it was meant to go, or nowhere.
        self._http = httpx.Client(base_url=base, headers=headers, timeout=DEADLINE, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def page(self, request_id: str) -> str:
        """Address of a request's page."""
        return f"{self._base}/requests/{request_id}"

    def submit(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Submit a request. Tried again with the same mark, so that it is submitted once."""
        return self._ask(
            "POST", "/api/requests", {**sent, "nonce": sent.get("nonce") or secrets.token_urlsafe(24)}
        )

    def requests(self, state: str | None, mine: bool, limit: int) -> dict[str, Any]:
        """List requests."""
        asked = {
            "limit": str(limit),
            **({"state": state} if state else {}),
            **({"mine": "true"} if mine else {}),
        }
        return self._ask("GET", "/api/requests", params=asked)

    def request(self, request_id: str) -> dict[str, Any]:
        """One request, whole."""
        return self._ask("GET", f"/api/requests/{_checked(request_id)}")

    def order(self, request_id: str, what: str) -> dict[str, Any]:
        """Cancel a request, or try it again."""
        return self._ask("POST", f"/api/requests/{_checked(request_id)}/{what}")

    def follow(self, request_id: str, deadline: float) -> Iterator[dict[str, Any]]:
        """A request as it goes on, until it has ended or the deadline has come (s)."""
        until, pause = self._clock() + deadline, FIRST_LOOK
        while True:
            found = self.request(request_id)
            yield found
            left = until - self._clock()
            if has_ended(found) or left <= 0:
                return
            self._sleep(min(pause, left))
            pause = min(1.3 * pause, LAST_LOOK)

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, params: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Ask, and again while the server is away: nothing is lost by that.

        Raises
        ------
        ServiceUnavailableError
            If the server stays away.
        InvalidInputError, PermanentError
            If it refuses.
        """
        pause = 0.5
        for number in range(1, TRIES + 1):
            try:
                answer = self._http.request(method, path, json=body, params=params)
            except httpx.HTTPError as error:
                trouble = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code < 500:
                    return self._read(answer)
                trouble = f"it answers {answer.status_code}"
            if number < TRIES:
                self._sleep(pause * (1 + random.random() / 2))  # noqa: S311 - spreads tries, no secret
                pause *= 2
        raise ServiceUnavailableError(
            f"The web server at {self._base} does not serve: {trouble}. Check that it runs and PAWS_WEB_URL."
        )

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if answer.status_code == 200 and isinstance(found, dict):
            return found
        detail = found.get("detail", "") if isinstance(found, dict) else ""
        if answer.status_code == 401:
            raise ConfigurationError(f"{detail or 'The token is not valid.'} Set PAWS_TOKEN.")
        if answer.status_code in (404, 409, 413, 422):
            raise InvalidInputError(str(detail or f"The web server answers {answer.status_code}."))
        raise PermanentError(
            f"The web server at {self._base} answers {answer.status_code}: {detail or 'this is no PAWS Live.'}"
        )


def _checked(request_id: str) -> str:
    if not _ID.fullmatch(request_id):
        raise InvalidInputError(f"{request_id!r} is no request: they are named by 16 hexadecimal digits.")
    return request_id
