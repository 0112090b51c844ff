"""Nights of realistic raw 2dF+AAOmega frames with known truth. Shares no code with quicklook.

>>> from simulator import plan_night, write_night, stream_night
>>> plan = plan_night("20260312", fields=1, exposures=1, biases=3, darks=0)
>>> len(plan)  # a flat for each arm, an arc, a science exposure and three biases
7
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.errors import FrameExistsError, InvalidPlanError, SimulatorError
    from simulator.night import stream_night, write_night
    from simulator.observe import Observatory
    from simulator.plan import ExposurePlan, NightPlan, plan_night
    from simulator.writer import Existing, WrittenFrame

_HOMES = {
    "Existing": "simulator.writer",
    "ExposurePlan": "simulator.plan",
    "FrameExistsError": "simulator.errors",
    "InvalidPlanError": "simulator.errors",
    "NightPlan": "simulator.plan",
    "Observatory": "simulator.observe",
    "SimulatorError": "simulator.errors",
    "WrittenFrame": "simulator.writer",
    "plan_night": "simulator.plan",
    "stream_night": "simulator.night",
    "write_night": "simulator.night",
}

__all__ = [
    "Existing",
    "ExposurePlan",
    "FrameExistsError",
    "InvalidPlanError",
    "NightPlan",
    "Observatory",
    "SimulatorError",
    "WrittenFrame",
    "plan_night",
    "stream_night",
    "write_night",
]


def __getattr__(name: str) -> Any:
    # The command line lists its commands without loading compilers and FITS: names resolve on first use.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'simulator' has no attribute {name!r}")
