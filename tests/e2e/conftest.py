"""One undisturbed demo night serves many tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.live import Paws, paws, wait_until

NIGHT = ["--fields", "1", "--exposures", "3", "--biases", "3", "--darks", "1", "--seed", "7", "--port", "0"]
"""A night of one field, two arms, three exposures."""


def wait_for_night(running: Paws) -> None:
    """Wait until the demo says on standard error that its night is reduced."""

    def reduced() -> bool:
        running.runtime()
        return "The night is reduced" in running.log.read_text(errors="replace")

    wait_until("the night is reduced", reduced, every=0.5)


@contextmanager
def open_folder() -> Iterator[Path]:
    """Folder that every account may enter: where root runs the tests, the database runs as another."""
    folder = Path(tempfile.mkdtemp(prefix="paws-e2e-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture(scope="session")
def quiet_night() -> Iterator[Paws]:
    """A demo whose night is done and which goes on running. The path has a space on purpose."""
    with open_folder() as made:
        yield from _quiet_night(made / "quiet night")


def _quiet_night(data: Path) -> Iterator[Paws]:
    with paws(["demo", *NIGHT, "--cadence", "2", "--data", str(data)], data) as running:
        running.ready()
        wait_for_night(running)
        yield running


@pytest.fixture(scope="session")
def quiet_products(quiet_night: Paws) -> Path:
    return quiet_night.data / "products"
