"""Parts of spectra: server-side operations for data access (SODA 1.0), as far as spectra need them."""
