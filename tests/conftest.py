"""Fixtures and options that all tests share."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.support.postgres"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files from what the code says"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see the defaults, whatever the shell that runs them has set."""
    import os

    for name in list(os.environ):
        if name.startswith("PAWS_") and not name.startswith("PAWS_TEST_"):
            monkeypatch.delenv(name)
