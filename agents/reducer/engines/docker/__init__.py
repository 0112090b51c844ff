"""The engine kind ``docker``: an ``aaorun`` in warm containers of an image, one for each slot of the runner."""

from __future__ import annotations

from agents.reducer.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
