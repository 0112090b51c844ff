"""Contracts: events, topics, database migrations and the vocabulary. Imports nothing of ours."""
