"""From finished products to a row for every spectrum, with what ObsCore wants to know of it."""
