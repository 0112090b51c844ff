"""Fetching a table from an address that a visitor chose: bounded, and never from networks that only we can reach."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx

from paws.errors import InvalidInputError
from paws.requests.outward import Resolve, client, request, resolve
from paws.requests.webhooks import Network, Target, WebhookRefusedError, choose, read_target
from web.vo.problems import BadRequestError

_MOST_REDIRECTS: Final = 3
_STEP_DEADLINE: Final = 20.0
"""Seconds for a connection, and between two pieces."""


async def fetch(
    address: str,
    path: Path,
    *,
    largest: int,
    deadline: float,
    allowed: Sequence[Network] = (),
    resolver: Resolve = resolve,
) -> str:
    """Fetch a table into a file. Returns its media type, as its server says.

    Its name is resolved once, and what it means is connected to: it cannot mean something else a moment later. The
    same holds for every address that it leads on to.

    Parameters
    ----------
    largest
        Bytes.
    deadline
        Seconds for all of it.

    Raises
    ------
    BadRequestError
        If it cannot be had; the text does not tell what is or is not there in our network.
    """
    try:
        async with asyncio.timeout(deadline):
            for _ in range(_MOST_REDIRECTS + 1):
                onward, media_type = await _fetch_once(address, path, largest, allowed, resolver)
                if onward is None:
                    return media_type
                address = onward
    except TimeoutError as error:
        raise BadRequestError(f"An upload did not come within {deadline:.0f} s.") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise BadRequestError(f"An upload could not be fetched from {address[:100]!r}.") from error
    raise BadRequestError(f"An upload leads on to another address more than {_MOST_REDIRECTS} times.")


async def _fetch_once(
    address: str, path: Path, largest: int, allowed: Sequence[Network], resolver: Resolve
) -> tuple[str | None, str]:
    """Fetch from one address. Returns where it leads on to, if it does, and the media type."""
    target, numeric = await _target(address, allowed, resolver)
    # Packed, a small answer could become a large one.
    headers = {"Accept-Encoding": "identity"}
    async with client(_STEP_DEADLINE) as by:
        answer = await by.send(request(by, "GET", target, numeric, headers), stream=True)
        try:
            if answer.is_redirect:
                return urljoin(address, answer.headers["location"]), ""
            if answer.status_code != httpx.codes.OK:
                raise BadRequestError(f"An upload could not be fetched: the answer was {answer.status_code}.")
            if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise BadRequestError("An upload came packed though that was not asked for.")
            await _save(answer, path, largest)
            return None, answer.headers.get("content-type", "")
        finally:
            await answer.aclose()


async def _target(address: str, allowed: Sequence[Network], resolver: Resolve) -> tuple[Target, str]:
    try:
        target = read_target(address)
    except InvalidInputError as error:
        raise BadRequestError(
            "The address of an upload cannot be used: it begins with http:// or https://, has at most 500 plain "
            "characters, and holds neither name nor password."
        ) from error
    found = await resolver(target.host, target.port)
    if not found:
        raise OSError("the name has no address")
    try:
        return target, choose(target.host, found, allowed)
    except WebhookRefusedError as error:
        raise BadRequestError(
            f"Uploads are not fetched from {target.host}: it is of a private network, of this machine, or of "
            "nobody. Send the table with the query instead (UPLOAD=name,param:part)."
        ) from error


async def _save(answer: httpx.Response, path: Path, largest: int) -> None:
    size = 0
    with path.open("wb") as file:
        async for piece in answer.aiter_raw(1_000_000):
            size += len(piece)
            if size > largest:
                raise BadRequestError(f"An upload is larger than the {largest / 1e6:.0f} MB that are taken.")
            file.write(piece)
