"""One field, one explorer and one browser for all tests of the explorer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from schemas.vocabulary import Arm
from tests.browser.explorer.stand import VENDOR, Stand, launched, standing, turned_to
from tests.support.explorer_files import write_field
from tests.support.night_plan import HOSTILE
from web.vendor import VendorAwayError, from_npm, install, read_manifest


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("field")
    write_field(path / "blue")
    write_field(path / "red", arm=Arm.RED)
    # A combined product has an order of its own.
    turned = write_field(path / "spliced", "combined.fits", None)
    with fits.open(turned, mode="update") as hdus:
        for name in (0, "VARIANCE"):
            hdus[name].data = hdus[name].data[::-1].copy()
        hdus["FIBRES"].data = hdus["FIBRES"].data[::-1].copy()
    hostile = write_field(path / "hostile", fibres=30, samples=90, names=HOSTILE + "{}")
    with fits.open(hostile, mode="update") as hdus:
        hdus["FIBRES"].header["LABEL"] = HOSTILE[:60]
        del hdus["SKY"]
    return path


@pytest.fixture(scope="package")
def libraries() -> None:
    """Plotly and Aladin Lite, through npm."""
    try:
        install(VENDOR, read_manifest(), from_npm)
    except VendorAwayError as error:
        pytest.skip(f"plotly and Aladin Lite are not there and cannot be fetched: {error.message}")


@pytest.fixture(scope="package")
def stand(folder: Path) -> Iterator[Stand]:
    with standing(folder, vendor_dir=VENDOR) as found:
        yield found


@pytest.fixture(scope="package")
def bare(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Without any library."""
    with standing(folder, vendor_dir=tmp_path_factory.mktemp("nothing")) as found:
        yield found


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with turned_to(browser) as found:
        yield found
