"""The network address of a request."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection


def address_of(connection: HTTPConnection) -> str:
    """Network address of a request, as the server or the trusted proxy before it tells; IPv6 by its network."""
    text = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:60]
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
