"""How the night goes: what exposures reached, what is still to come, and what to look after. Pure functions."""
