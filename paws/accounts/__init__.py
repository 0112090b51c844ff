"""Accounts, groups and secrets: what the pages and the command line both need."""
