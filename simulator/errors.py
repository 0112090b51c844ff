"""What can go wrong when a night is simulated; every message says what to do next."""

from __future__ import annotations


class SimulatorError(Exception):
    """Base of all errors the simulator raises on purpose."""


class InvalidPlanError(SimulatorError, ValueError):
    """A parameter of the night is out of range, or the parameters do not fit together."""


class FrameExistsError(SimulatorError, FileExistsError):
    """A frame of the plan is already on disk and the caller asked not to replace it."""
