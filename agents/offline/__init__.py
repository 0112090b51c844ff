"""A whole night reduced offline: the live system's planner, engine, checks and layout, without its services."""
