"""axe-core, for all tests of pages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from web.vendor import VendorAwayError, from_npm, install, read_manifest

FOLDER = Path(sys.prefix) / "share" / "paws-live" / "test-vendor"


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, through npm."""
    (library,) = read_manifest(Path(__file__).with_name("vendor.json"))
    try:
        install(FOLDER, [library], from_npm)
    except VendorAwayError as error:
        pytest.skip(f"axe-core is not there and cannot be fetched: {error.message}")
    return (FOLDER / library.folder / library.file_name).read_text("utf-8")
