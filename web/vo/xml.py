"""XML by hand, whole and escaped: the documents of services are small and their shape is fixed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document can hold, not even escaped."""


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


def plain(text: str) -> str:
    """Replace what XML cannot hold: hostile cells, names and queries change no document."""
    return FORBIDDEN.sub("\ufffd", text)


def markup(part: object) -> Markup:
    """A part of a document: markup as it is, anything else escaped, nothing for None."""
    if isinstance(part, Markup):
        return part
    return Markup("" if part is None else escape(plain(str(part))))


def element(name: str, attributes: Mapping[str, object] | None = None, *parts: object) -> Markup:
    """An element.

    Parameters
    ----------
    name
        Ours, never a visitor's.
    attributes
        Those that are None are left out.
    *parts
        Escaped, unless they are `Markup`.
    """
    written = "".join(
        f" {key}={quoteattr(plain(str(value)))}"
        for key, value in (attributes or {}).items()
        if value is not None
    )
    inner = "".join(markup(part) for part in parts)
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")


def nillable(name: str, value: object | None) -> Markup:
    """An element that says so when it has no value."""
    return element(name, {"xsi:nil": "true"}) if value is None else element(name, None, value)


def document(root: Markup) -> bytes:
    """A whole document."""
    return (HEAD + root + "\n").encode()


def moment(value: datetime | None) -> str | None:
    """A moment as services write it: ISO 8601, UTC, with Z."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
