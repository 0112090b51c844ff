"""Spectra on paper: a PDF of every spectrum of a product, drawn without a plotting library, since there are many."""
