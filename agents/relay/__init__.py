"""The relay: the only one who publishes. It empties the outbox into the broker and numbers the status feed."""
