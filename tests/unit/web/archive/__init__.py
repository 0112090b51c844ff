"""The archive's pure parts."""
