"""The query service of the Virtual Observatory: TAP 1.1 with UWS 1.1, VOSI 1.1 and DALI 1.1."""
