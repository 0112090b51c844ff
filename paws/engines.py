"""Names of engines, and what stands behind each. Pure; the engines themselves are the reducer's.

Two names need no setting: ``builtin`` and ``local``. The setting ``engines`` gives names to further ones, so
that versions of 2dFdr work side by side: ``{"2dfdr-7.2": "docker:2dfdr:7.2"}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from typing import Literal, cast

from paws.errors import ConfigurationError
from paws.settings import Settings

EngineKind = Literal["builtin", "local", "docker"]

BUILTIN, LOCAL = "builtin", "local"

# It becomes part of a queue's name, of a container's name and of a card in a FITS header.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_FORM = "docker:IMAGE or local:PROGRAM"


@dataclass(frozen=True)
class EngineReference:
    """What a name stands for.

    Attributes
    ----------
    kind
        How it is run.
    target
        Image of a ``docker`` engine, program of a ``local`` one; empty for ``builtin``.
    version
        Stands in job keys and in products.
    """

    name: str
    kind: EngineKind
    target: str
    version: str


def engine_names(settings: Settings) -> tuple[str, ...]:
    """Every engine that can be named: those of the settings last."""
    return (BUILTIN, LOCAL, *settings.engines)


def engine_reference(settings: Settings, name: str = "") -> EngineReference:
    """What an engine's name stands for.

    Parameters
    ----------
    name
        The engine of the settings when empty.

    Raises
    ------
    ConfigurationError
        If no engine has the name, or its setting cannot be understood.
    """
    name = name or settings.engine
    # A version that is set is that of the engine that is set; another engine tells its own.
    stated = settings.engine_version if name == settings.engine else ""
    if name == BUILTIN and name not in settings.engines:
        return EngineReference(name, "builtin", "", stated or f"paws-live {metadata.version('paws-live')}")
    if name == LOCAL and name not in settings.engines:
        return EngineReference(name, "local", settings.aaorun, stated or "unknown")
    if name not in settings.engines:
        hint = (
            f' An image is named by PAWS_ENGINES, such as {{"{name}": "docker:IMAGE"}}.'
            if _NAME.fullmatch(name)
            else ""
        )
        raise ConfigurationError(
            f"No engine is named {name!r}. Set PAWS_ENGINE to one of: {', '.join(engine_names(settings))}.{hint}"
        )
    kind, _, target = settings.engines[name].partition(":")
    if not _NAME.fullmatch(name) or name in (BUILTIN, LOCAL):
        raise ConfigurationError(
            f"PAWS_ENGINES names an engine {name!r}. Names are up to 40 lower-case letters, digits, '.', '_' and "
            f"'-', and not {BUILTIN!r} or {LOCAL!r}."
        )
    if kind not in ("docker", "local") or not target.strip():
        raise ConfigurationError(
            f"PAWS_ENGINES says {settings.engines[name]!r} for the engine {name!r}. It must be {_FORM}."
        )
    return EngineReference(name, cast(EngineKind, kind), target, stated or target)
