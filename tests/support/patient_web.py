"""The web server with more time to finish answers than a slow machine can take; its settings come from the environment."""

from __future__ import annotations

from paws.log import configure_logging
from paws.settings import load_settings
from web import server

if __name__ == "__main__":
    configure_logging()
    server._DRAIN = 60  # that it waits is tested, not for how long
    server.run(load_settings())
