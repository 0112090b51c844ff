"""Nights of realistic raw 2dF+AAOmega frames with known truth. Shares no code with quicklook."""
