"""Requests: plans what people asked for, has it reduced, and tells them how it went."""
