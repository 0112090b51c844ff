"""Settings as text: how the environment holds lists, folders and secrets."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr


def as_text(value: Any) -> str:
    """Value as the environment holds it. Secrets are written out."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        # Folders may hold commas, host names may hold colons (IPv6).
        separator = os.pathsep if any(isinstance(part, Path) for part in value) else ","
        return separator.join(str(part) for part in value)
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value)


def split_folders(value: Any) -> Any:
    """Folders, from their text."""
    if isinstance(value, str):
        return tuple(Path(part) for part in value.split(os.pathsep) if part)
    return value


def split_words(value: Any) -> Any:
    """Words, from their text."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def split_networks(value: Any) -> Any:
    """Networks, from their text.

    Raises
    ------
    ValueError
        If one is none.
    """
    words = split_words(value)
    for word in words:
        ipaddress.ip_network(word, strict=False)
    return words


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
