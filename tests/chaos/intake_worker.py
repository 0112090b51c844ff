"""A worker with the reducer's intake alone, to be killed by tests; its settings come from the environment."""

from __future__ import annotations

import asyncio
import sys

from agents.worker import run_worker
from paws.log import configure_logging
from paws.settings import load_settings

if __name__ == "__main__":
    configure_logging()
    ready = lambda: print("ready", flush=True)  # noqa: E731 - one line says it
    sys.exit(asyncio.run(run_worker(load_settings(), ready=ready, agents=("agents.reducer.agent",))))
