"""The Virtual Observatory: tables, their metadata and their identifiers."""
