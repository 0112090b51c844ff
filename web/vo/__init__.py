"""Services of the Virtual Observatory."""
