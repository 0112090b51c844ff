"""Simple Cone Search 1.03: spectra around a position, for the simplest of clients."""
