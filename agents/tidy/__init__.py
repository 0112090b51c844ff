"""Retention: what is kept no longer is removed. Current products, and whatever these were made with, never are."""
