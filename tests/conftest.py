"""Fixtures and options that all tests share."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests.support.workers import ByGroup, in_order

# The same examples everywhere: a run that fails must fail again. Local searches may set another profile.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

pytest_plugins = ["tests.support.postgres", "tests.support.geometry", "tests.support.adql_sky"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files from what the code says"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByGroup:
    config.option.loadscopereorder = False
    return ByGroup(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes go by the name of their argument.

    What is packed (gzip, zip) holds the time it was packed at, so processes that collect on either side of a
    tick of the clock would know one test by different names, and pytest-xdist would run none.
    """
    return argname if isinstance(val, bytes | bytearray) else None


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see the defaults, whatever the shell that runs them has set."""
    for name in list(os.environ):
        if name.startswith("PAWS_"):
            monkeypatch.delenv(name)


STRICT = "TEST_STRICT"
EXPECTED_SKIPS = "tests/expected_skips.txt"


def _expected_skips(config: pytest.Config) -> set[str]:
    lines = (config.rootpath / EXPECTED_SKIPS).read_text().splitlines()
    return {line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Where everything is installed, a skipped test is a failure unless it is listed with its reason."""
    outcome = yield
    report = outcome.get_result()
    unexpected = report.skipped and not hasattr(report, "wasxfail")
    if os.environ.get(STRICT) and unexpected and item.nodeid not in _expected_skips(item.config):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped ({report.longrepr}); {EXPECTED_SKIPS} does not list it"
