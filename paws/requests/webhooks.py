"""Telling other people's programs: which addresses may be told, how a message is signed, when it is tried again.

Pure. A webhook makes this machine send something to an address that somebody else chose, so addresses of networks
that only we can reach are refused after their name is resolved, and the resolved address is the one connected to.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from paws.errors import InvalidInputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST: Final = 500
FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(hours=6)
MOST_TRIES: Final = 12
"""With pauses that double: about a day."""

_EMBEDDED: Final = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("2001::/32"),
)
"""Networks whose addresses stand for others behind a translator or relay: anybody's, ours too."""


class WebhookRefusedError(InvalidInputError):
    """An address is not told anything."""

    code = "webhook_refused"


@dataclass(frozen=True)
class Target:
    """Where a message goes: as the address says."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """What stands in the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return name if self.port == usual else f"{name}:{self.port}"


def read_target(url: str) -> Target:
    """Target of an address that somebody wrote.

    Raises
    ------
    WebhookRefusedError
        If it is no plain address of HTTP.
    """
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise WebhookRefusedError(f"A webhook's address has at most {LONGEST} plain characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefusedError("A webhook's address looks like https://host/path.") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host:
        raise WebhookRefusedError("A webhook's address begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise WebhookRefusedError(
            "A webhook's address holds no name or password: messages are signed instead."
        )
    if port == 0:
        raise WebhookRefusedError("A webhook's address names port 0, which is none.")
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks that the settings allow though they are private.

    Raises
    ------
    ValueError
        If one is none.
    """
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why an address is not connected to; None when it is."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return refusal(address.ipv4_mapped, allowed)
    if any(address.version == network.version and address in network for network in allowed):
        return None
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return "it is an address of a private network, of this machine, or of nobody"
    if any(address.version == network.version and address in network for network in _EMBEDDED):
        return "it stands for another address behind a translator"
    return None


def choose(host: str, found: Sequence[str], allowed: Sequence[Network] = ()) -> str:
    """Address to connect to, of those that a name resolved to.

    One that is not allowed is enough to refuse the name: a name that means two networks is a trick.

    Raises
    ------
    WebhookRefusedError
        If none may be connected to.
    """
    if not found:
        raise WebhookRefusedError(f"{host} has no address.")
    for text in found:
        reason = refusal(ipaddress.ip_address(text.partition("%")[0]), allowed)
        if reason:
            # The address itself is not told: it would map our network for whoever asks.
            raise WebhookRefusedError(f"{host} is not told anything: {reason}.")
    return found[0]


def signature(secret: str, moment: int, body: bytes) -> str:
    """Value of the header ``PAWS-Signature``: HMAC-SHA256 of the time and the body.

    Parameters
    ----------
    moment
        Unix time at which it is sent, so that a message that was recorded cannot be sent again later.
    """
    signed = f"{moment}.".encode() + body
    return f"t={moment},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True)
class Again:
    """Whether a message is tried again, and after how long; with the reason."""

    wait: timedelta | None
    reason: str


def after(status: int | None, tries: int) -> Again:
    """Decide after a try.

    Parameters
    ----------
    status
        Of the answer; None when there was none.
    tries
        So far, this one included.
    """
    if status is not None and 200 <= status < 300:
        return Again(None, "delivered")
    if status == 410:
        return Again(None, "the receiver wants no more")
    told = "no answer" if status is None else f"the answer was {status}"
    if tries >= MOST_TRIES:
        return Again(None, f"given up after {tries} tries: {told}")
    return Again(min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE), told)
