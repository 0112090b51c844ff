"""Which reductions a night needs, with which calibrations, and why."""
