"""Engines: what reduces frames. New ones are added to the registry below."""

from __future__ import annotations

from collections.abc import Callable

from agents.reducer.engines.base import Engine, EngineDeadlineError, EngineDiedError, EngineResult
from agents.reducer.engines.builtin import BuiltinEngine
from agents.reducer.engines.local import LocalEngine
from paws.errors import ConfigurationError
from paws.settings import Settings

ENGINES: dict[str, Callable[[Settings], Engine]] = {
    "builtin": lambda settings: BuiltinEngine(settings.runner_slots),
    "local": lambda settings: LocalEngine(settings.aaorun),
}
"""How each engine is made from the settings, by name."""


def create_engine(settings: Settings) -> Engine:
    """Engine that the settings name, not started yet.

    Raises
    ------
    ConfigurationError
        If this version has no such engine.
    """
    make = ENGINES.get(settings.engine)
    if make is None:
        raise ConfigurationError(
            f"This version has no engine {settings.engine!r}. Set PAWS_ENGINE to one of: {', '.join(ENGINES)}."
        )
    return make(settings)


__all__ = [
    "ENGINES",
    "Engine",
    "EngineDeadlineError",
    "EngineDiedError",
    "EngineResult",
    "create_engine",
]
