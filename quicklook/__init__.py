"""The built-in multi-fibre reducer, spoken to as 2dFdr's ``aaorun`` is. Imports nothing of ours."""

from __future__ import annotations

from importlib import metadata

__all__ = ["__version__", "warm"]


def _version() -> str:
    try:
        return metadata.version("paws-live")
    except metadata.PackageNotFoundError:
        return "0.1.0"


__version__ = _version()


def warm() -> None:
    """Load every step and compile (or fetch from the cache) its kernels, so that a first command is quick.

    For processes that serve many commands: they keep the memory that a frame needed for the next one.
    """
    from quicklook.memory import keep_memory
    from quicklook.warming import warm_kernels

    keep_memory()
    warm_kernels()
