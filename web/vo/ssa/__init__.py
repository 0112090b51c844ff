"""Simple Spectral Access 1.1: spectra by position, wavelength, time and name."""
