"""Downloads: which files, under which names, as one archive that can be resumed, with sums and a script."""
