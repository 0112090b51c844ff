"""Engines: what reduces frames. New kinds are added to the registry below."""

from __future__ import annotations

from collections.abc import Callable

from agents.reducer.engines.base import Engine, EngineDeadlineError, EngineDiedError, EngineResult
from agents.reducer.engines.builtin import BuiltinEngine
from agents.reducer.engines.local import LocalEngine
from paws.engines import EngineKind, EngineReference, engine_reference
from paws.settings import Settings


def _builtin(settings: Settings, _reference: EngineReference) -> Engine:
    return BuiltinEngine(settings.runner_slots)


def _local(_settings: Settings, reference: EngineReference) -> Engine:
    return LocalEngine(reference.target, reference.name)


def _docker(settings: Settings, reference: EngineReference) -> Engine:
    # Its library takes a while to load, and few runners need it.
    from agents.reducer.engines.docker import DockerEngine

    return DockerEngine(settings, reference)


ENGINES: dict[EngineKind, Callable[[Settings, EngineReference], Engine]] = {
    "builtin": _builtin,
    "local": _local,
    "docker": _docker,
}
"""How an engine of each kind is made."""


def create_engine(settings: Settings, name: str = "") -> Engine:
    """Engine of a name, not started yet.

    Parameters
    ----------
    name
        One of `paws.engines.engine_names`; the engine of the settings when empty.

    Raises
    ------
    ConfigurationError
        If no engine has the name.
    """
    reference = engine_reference(settings, name)
    return ENGINES[reference.kind](settings, reference)


__all__ = [
    "ENGINES",
    "Engine",
    "EngineDeadlineError",
    "EngineDiedError",
    "EngineResult",
    "create_engine",
]
