"""Calibrations that a warm process keeps: the same file is read once, a changed one again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from quicklook import shelf
from quicklook.errors import InvalidInput
from quicklook.products import Product, read_product, write_product
from quicklook.shelf import Shelf


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were read."""
    names = []

    def read(path, **how):
        names.append(Path(path).name)
        return read_product(path, **how)

    monkeypatch.setattr(shelf, "read_product", read)
    return names


def product(folder: Path, name: str = "bias.fits", value: float = 1.0, age: float = 60.0) -> Path:
    """A product that was last changed some time ago."""
    data = np.full((20, 30), value, dtype=np.float32)
    extras = {"WAVELA": np.arange(5.0), "OTHER": np.arange(3.0)}
    path = write_product(folder / name, Product(data, fits.Header(), variance=data + 1, extras=extras))
    aged(path, age)
    return path


def aged(path: Path, age: float) -> None:
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


@pytest.fixture
def long_ago(monkeypatch):
    """Let files count as old as their modification says: the time of the change of state cannot be set."""
    monkeypatch.setattr(shelf, "RIPE", -1.0)


@pytest.mark.usefixtures("long_ago")
def test_an_unchanged_file_is_read_once_and_comes_out_the_same(tmp_path, reads):
    path, kept = product(tmp_path), Shelf()
    first, second = kept.read(path, ("VARIANCE",)), kept.read(path, ("VARIANCE",))
    assert reads == ["bias.fits"]
    fresh = read_product(path, only=("VARIANCE",))
    assert np.array_equal(second.data, fresh.data)
    assert np.array_equal(second.variance, fresh.variance)
    assert second.path == fresh.path == path
    first.extras["MINE"] = np.zeros(1)
    assert set(kept.read(path, ("VARIANCE",)).extras) == set(fresh.extras), "what one adds no other sees"


@pytest.mark.usefixtures("long_ago")
def test_other_extensions_are_another_reading(tmp_path, reads):
    path, kept = product(tmp_path), Shelf()
    kept.read(path, ("VARIANCE",))
    assert "WAVELA" in kept.read(path, ("WAVELA",)).extras
    assert len(reads) == 2


@pytest.mark.usefixtures("long_ago")
def test_a_replaced_file_is_read_again(tmp_path, reads):
    kept = Shelf()
    assert kept.read(product(tmp_path, value=1.0)).data[0, 0] == 1.0
    assert kept.read(product(tmp_path, value=2.0)).data[0, 0] == 2.0
    assert len(reads) == 2
    assert len(kept._kept) == 1, "the older state is not kept beside it"


@pytest.mark.usefixtures("long_ago")
def test_a_file_changed_in_place_is_read_again(tmp_path, reads):
    path, kept = product(tmp_path), Shelf()
    kept.read(path)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[:] = 7.0
    assert kept.read(path).data[0, 0] == 7.0
    assert len(reads) == 2


def test_a_file_that_has_just_changed_is_not_kept(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(shelf, "RIPE", 3600.0)
    path, kept = product(tmp_path, age=0.0), Shelf()
    kept.read(path)
    kept.read(path)
    assert len(reads) == 2


@pytest.mark.usefixtures("long_ago")
def test_the_least_recently_used_makes_room(tmp_path, reads):
    paths = [product(tmp_path, f"{i}.fits") for i in range(3)]
    one = 2 * 20 * 30 * 4
    kept = Shelf(room=2 * one)
    for i in (0, 1, 0, 2, 0, 1):
        kept.read(paths[i], ("VARIANCE",))
    assert reads == ["0.fits", "1.fits", "2.fits", "1.fits"]


def test_what_cannot_be_read_is_told_as_reading_tells_it(tmp_path):
    with pytest.raises(InvalidInput, match="no such file"):
        Shelf().read(tmp_path / "absent.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = nothing")
    for _ in range(2):
        with pytest.raises(InvalidInput):
            Shelf().read(tmp_path / "broken.fits")
