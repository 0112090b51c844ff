"""A file of some address, fetched within bounds, for whoever has the command line of the machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from paws.vo.publish.errors import PublishError

_SILENCE: Final = 60.0
"""Seconds without a byte after which a server is given up."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has come.

    Attributes
    ----------
    kind
        What tells its format: the suffix of the address, else the media type that the server names.
    """

    path: Path
    kind: str
    size: int


def is_address(text: str) -> bool:
    """Whether a text is the address of a file elsewhere."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def fetch(
    address: str, folder: Path, most: int, on_bytes: Callable[[int], None] = lambda _done: None
) -> Fetched:
    """Fetch a file.

    Parameters
    ----------
    folder
        Where it goes, under a name of ours.
    most
        Bytes that it may have.

    Raises
    ------
    PublishError
        If it cannot be had, or is larger.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PublishError(
            f"{address[:200]} is no address that files are fetched from; give http:// or https://."
        )
    path, done = folder / "fetched", 0
    try:
        with (
            httpx.Client(follow_redirects=True, max_redirects=5, timeout=_SILENCE) as client,
            client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as answer,
            path.open("wb") as file,
        ):
            if answer.status_code != httpx.codes.OK:
                raise PublishError(f"{address[:200]} answers {answer.status_code} {answer.reason_phrase}.")
            for piece in answer.iter_bytes():
                done += len(piece)
                if done > most:
                    raise PublishError(
                        f"{address[:200]} has more than {most:,} bytes (PAWS_TAP_PUBLISH_SIZE); nothing was published."
                    )
                file.write(piece)
                on_bytes(done)
            told = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise PublishError(f"{address[:200]} cannot be fetched: {error}.") from error
    name = Path(parts.path).name
    return Fetched(path, name if _has_known_suffix(name) else told, done)


def _has_known_suffix(name: str) -> bool:
    return (
        re.search(r"\.(vot|votable|xml|fits?|fit|csv|tsv|parquet|parq|pq)(\.gz)?$", name.lower()) is not None
    )
