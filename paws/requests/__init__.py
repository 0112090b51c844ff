"""Requests: what people ask for, what it takes, how far it is. The agent carries them out, the pages show them."""
