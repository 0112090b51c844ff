"""``python -m simulator``: the simulate command without the rest of the shell."""

from __future__ import annotations

from simulator.command import simulate

simulate(prog_name="python -m simulator")
