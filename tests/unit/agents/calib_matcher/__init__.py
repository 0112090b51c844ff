"""The matcher's memory over nights."""
