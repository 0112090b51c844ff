"""Sending webhooks: the name is resolved once, its addresses are judged, and the very address is connected to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import httpx

from agents.requests import storage
from agents.requests.storage import Delivery
from agents.runtime import AgentContext
from paws.clock import utc_now
from paws.log import get_logger
from paws.requests.outward import Resolve, client, request, resolve
from paws.requests.webhooks import (
    Network,
    Target,
    WebhookRefusedError,
    after,
    choose,
    read_networks,
    read_target,
    signature,
)

log = get_logger(__name__)

DEADLINE: Final = 10.0
"""Longest time for one message, its name's resolution included, s."""
LEASE: Final = timedelta(seconds=60)
PAUSE: Final = 1.0


async def send(
    delivery: Delivery, networks: Sequence[Network], moment: int, resolver: Resolve = resolve
) -> int | None:
    """Send a message once.

    Redirections are not followed, no proxy is asked, and of the answer its status alone is read.

    Parameters
    ----------
    moment
        Unix time, which is signed.

    Returns
    -------
    int or None
        Status of the answer; None when there was none in time.

    Raises
    ------
    WebhookRefusedError
        If the address may not be told.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            target = read_target(delivery.url)
            try:
                found = await resolver(target.host, target.port)
            except OSError:
                return None
            return await _post(target, choose(target.host, found, networks), delivery, moment)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError):
        return None


async def _post(target: Target, address: str, delivery: Delivery, moment: int) -> int:
    body = delivery.body.encode()
    headers = {
        "Content-Type": "application/json",
        "PAWS-Delivery": delivery.delivery_id,
        "PAWS-Signature": signature(delivery.secret, moment, body),
    }
    async with client(DEADLINE) as by:
        answer = await by.send(request(by, "POST", target, address, headers, body), stream=True)
        await answer.aclose()
        return answer.status_code


class Courier:
    """Delivers what is due, one after the other, for ever."""

    def __init__(self, context: AgentContext, resolver: Resolve = resolve) -> None:
        self._context = context
        self._resolver = resolver
        self._networks = read_networks(context.settings.webhook_networks)

    async def run(self) -> None:
        """Deliver until cancelled. A database that is away makes it later, not wrong."""
        while True:
            try:
                while await self.deliver_one():
                    pass
            except Exception as error:
                log.warning("webhooks wait", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE)

    async def deliver_one(self) -> bool:
        """Try what is due for longest. Returns whether there was anything."""
        pool, now = self._context.pool, self._context.clock()
        delivery = await storage.take_delivery(pool, now, LEASE)
        if delivery is None:
            return False
        # The receiver compares with its own clock: here the machine's counts, not the database's.
        moment = int(utc_now().timestamp())
        try:
            status = await send(delivery, self._networks, moment, self._resolver)
        except WebhookRefusedError as error:
            await storage.end_delivery(pool, delivery, f"refused: {error.message}", now, None)
            return True
        again = after(status, delivery.tries)
        later = None if again.wait is None else self._context.clock() + again.wait
        await storage.end_delivery(pool, delivery, again.reason, self._context.clock(), later)
        log.info("webhook", delivery=delivery.delivery_id, tries=delivery.tries, result=again.reason)
        return True
