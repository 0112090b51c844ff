"""The 2dF Explorer: the spectra of a product, on their field. Products come from the archive or from files."""
