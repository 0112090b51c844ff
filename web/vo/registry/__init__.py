"""What the registry of the Virtual Observatory harvests: who publishes here, and which services there are."""
