"""Single spectra as the Virtual Observatory has them: files, pictures, parts."""
