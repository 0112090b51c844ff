"""The live feed: one hub a process, many websocket clients, none of which can block another."""
