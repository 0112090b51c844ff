"""The query page, for people who do not write clients."""
