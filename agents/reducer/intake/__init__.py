"""Intake: a request becomes a durable job before its event is acknowledged."""
