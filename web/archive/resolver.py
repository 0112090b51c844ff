"""Coordinates of an object's name, from Sesame of the Centre de Données astronomiques de Strasbourg.

The name is all that is sent. Without a network, or with ``PAWS_NAME_RESOLVER`` empty, people give coordinates.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from typing import Final
from urllib.parse import quote

import httpx

from paws.errors import InvalidInputError, ServiceUnavailableError
from paws.log import get_logger
from paws.settings import Settings
from web.archive.sky import Place

log = get_logger(__name__)

_LARGEST: Final = 65_536
_REMEMBERED: Final = 1000
_AT_ONCE: Final = 4
_POSITION: Final = re.compile(r"^%J\s+([0-9.]+)\s+([+-]?[0-9.]+)", re.MULTILINE)
_INSTEAD: Final = "Give coordinates instead, such as 10.6847 +41.269 or 00 42 44.3 +41 16 09."


class ResolverAwayError(ServiceUnavailableError):
    """The service that knows names does not answer."""


class UnknownNameError(InvalidInputError):
    """No object is known by a name, or nobody is asked."""


def place_in(answer: str) -> Place | None:
    """Place in an answer of Sesame (``-oI``), or None if it knows none."""
    found = _POSITION.search(answer)
    if not found:
        return None
    try:
        place = Place(float(found[1]) % 360.0, float(found[2]))
    except ValueError:
        return None
    return place if -90.0 <= place.dec <= 90.0 else None


class Resolver:
    """Asks for names, each once; a few at the same time."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.name_resolver
        self._deadline = settings.name_resolver_deadline
        self._known: OrderedDict[str, Place] = OrderedDict()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def resolve(self, name: str) -> Place:
        """Place of a named object.

        Raises
        ------
        UnknownNameError
            If nobody knows the name, or no service is set.
        ResolverAwayError
            If the service does not answer within its deadline.
        """
        key = " ".join(name.split()).casefold()
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        if not self._url:
            raise UnknownNameError(f"Names are not looked up here (PAWS_NAME_RESOLVER is empty). {_INSTEAD}")
        try:
            async with asyncio.timeout(self._deadline), self._places:
                answer = await self._ask(key)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            log.warning("names cannot be looked up", service=self._url, error=repr(error))
            raise ResolverAwayError(f"The service that knows names does not answer. {_INSTEAD}") from error
        place = place_in(answer)
        if place is None:
            raise UnknownNameError(f"Neither SIMBAD, NED nor VizieR knows an object of that name. {_INSTEAD}")
        self._known[key] = place
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return place

    async def _ask(self, name: str) -> str:
        address = f"{self._url}/-oI/SNV?{quote(name, safe='')}"
        body = bytearray()
        async with (
            httpx.AsyncClient(timeout=self._deadline, trust_env=True) as client,
            client.stream("GET", address, headers={"Accept": "text/plain"}) as answer,
        ):
            answer.raise_for_status()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _LARGEST:
                    break
        return body[:_LARGEST].decode("utf-8", "replace")
