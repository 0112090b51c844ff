"""One undisturbed demo night serves many tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import Paws, paws, summary_of

NIGHT = ["--fields", "1", "--exposures", "3", "--biases", "3", "--darks", "1", "--seed", "7", "--port", "0"]
"""A night of one field, two arms, three exposures."""


def wait_for_night(running: Paws) -> None:
    """Wait until the demo says on standard error that its night is reduced."""
    from tests.support.live import wait_until

    def reduced() -> bool:
        running.runtime()
        return "The night is reduced" in running.log.read_text(errors="replace")

    wait_until("the night is reduced", reduced, every=0.5)


@pytest.fixture(scope="session")
def quiet_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paws]:
    """A demo whose night is done and which goes on running. The path has a space on purpose."""
    data = tmp_path_factory.mktemp("e2e") / "quiet night"
    with paws(["demo", *NIGHT, "--cadence", "2", "--data", str(data)], data) as running:
        running.ready()
        wait_for_night(running)
        yield running


@pytest.fixture(scope="session")
def quiet_products(quiet_night: Paws) -> Path:
    return quiet_night.data / "products"


__all__ = ["NIGHT", "quiet_night", "quiet_products", "summary_of", "wait_for_night"]
