"""Requests to addresses that somebody else chose: to the very address that was judged, past proxies of ours."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

import httpx

from paws.requests.webhooks import Target

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """Addresses of a host, by the machine's resolver.

    Raises
    ------
    OSError
        If it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        # Python's own check: a part of the name is empty, or longer than 63 letters.
        raise OSError("no machine can have this name") from error
    return [str(item[4][0]) for item in found]


def client(deadline: float) -> httpx.AsyncClient:
    """A client that goes where it is told and nowhere else.

    Parameters
    ----------
    deadline
        Seconds for a connection, and between two pieces.
    """
    # trust_env: a proxy of ours would resolve the name again, and reach what we must not.
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=deadline)


def request(
    by: httpx.AsyncClient,
    method: str,
    target: Target,
    address: str,
    headers: Mapping[str, str],
    content: bytes | None = None,
) -> httpx.Request:
    """A request to a target.

    Parameters
    ----------
    address
        That of the target's that `paws.requests.webhooks.choose` gave.
    """
    numeric = f"[{address}]" if ":" in address else address
    return by.build_request(
        method,
        f"{target.scheme}://{numeric}:{target.port}{target.path}",
        content=content,
        headers={"Host": target.host_header, "User-Agent": "PAWS-Live", **headers},
        # The certificate is that of the name, though we connect to the address.
        extensions={"sni_hostname": target.host},
    )
