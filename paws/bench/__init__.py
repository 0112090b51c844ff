"""Benchmarks of the reducer: simulated fields reduced through the command lines, and measured against their truth.

Simulator and reducer are other rooms: they are run as programs, and what they write is read.
"""

from __future__ import annotations
