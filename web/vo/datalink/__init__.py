"""DataLink 1.1: from an identifier to everything that belongs to a spectrum."""
