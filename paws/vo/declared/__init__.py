"""Tables of our own, as the Virtual Observatory knows them: what each column is, and where it comes from."""
