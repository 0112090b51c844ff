"""Where the services of the Virtual Observatory are."""

from __future__ import annotations

from typing import Final

VO_PATHS: Final = ("/tap", "/ssa", "/scs", "/soda", "/datalink", "/vo")
"""Below them programs may sign in with a name and a password, and errors are VOTables."""
_HARVESTED: Final = ("/oai", "/registry.xml")
"""What registries read, as strangers: errors are no pages for people either."""


def is_vo(path: str) -> bool:
    """Whether a path belongs to a service."""
    return path.startswith(VO_PATHS) and any(path == root or path.startswith(f"{root}/") for root in VO_PATHS)


def for_programs(path: str) -> bool:
    """Whether errors of a path are told as XML."""
    return is_vo(path) or path in _HARVESTED
