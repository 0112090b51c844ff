from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from paws.access.rule import sees_all
from paws.errors import InvalidInputError
from schemas.vocabulary import Arm
from tests.support.explorer_files import LABEL, real_products, write_field
from web.explorer import files
from web.explorer.command import explore
from web.explorer.files import FileShelf, gather
from web.explorer.questions import BrowseQuestion
from web.explorer.shelf import Shelved
from web.explorer.tree import steps_of, tree_of
from web.problems import NotFoundError

SIGHT = sees_all(date(2026, 3, 12))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_field(tmp_path / "blue", fibres=12, samples=40)
    write_field(tmp_path / "red", arm=Arm.RED, fibres=12, samples=40)
    write_field(tmp_path, "combined.fits", None, fibres=12, samples=40)
    fits.PrimaryHDU(np.zeros((5, 5), np.int16)).writeto(tmp_path / "BIAScombined.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =  no")
    (tmp_path / "notes.txt").write_text("not FITS")
    return tmp_path


def test_folder_gives_what_holds_spectra_and_tells_of_the_rest(folder: Path) -> None:
    taken, refused = gather([folder])
    assert [path.relative_to(folder).as_posix() for path in taken] == [
        "blue/OBJ0008red.fits", "combined.fits", "red/OBJ0008red.fits",
    ]  # fmt: skip
    assert {one.file.name: one.reason for one in refused}.keys() == {"BIAScombined.fits", "broken.fits"}
    assert all(one.file.name in one.reason for one in refused)


def test_file_named_twice_is_one(folder: Path) -> None:
    assert len(gather([folder / "combined.fits", folder])[0]) == 3


def test_too_many_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 3)
    with pytest.raises(InvalidInputError, match="at most 3"):
        gather([folder])


async def test_files_are_described_by_their_headers(folder: Path) -> None:
    shelf = FileShelf(gather([folder])[0])
    blue, spliced, red = shelf.products
    assert (blue.arm, blue.run, blue.plate, blue.grating, blue.field) == ("blue", 8, 1, "580V", LABEL)
    assert (blue.night, blue.kind, blue.title) == ("20260312", "object", "object 0008 blue")
    assert (spliced.kind, spliced.arm, spliced.run) == ("spliced_combined", None, None)
    assert [one.title for one in await shelf.beside(blue, SIGHT)] == ["spliced combined", "object 0008 red"]
    assert blue.product_id != red.product_id, "two files of one name are two products"
    assert blue.page is None


@pytest.mark.parametrize(
    ("name", "frame_class", "title"),
    [
        ("ARC0007red.fits", "MFARC", "arc 0007 blue"),
        ("FLAT0005red.fits", "MFFFF", "fibre flat 0005 blue"),
        ("12mar10008red.fits", "MFOBJECT", "object 0008 blue"),
        ("FLAT0005tlm.fits", "MFFFF", "tlm 0005 blue"),
        ("combined_red.fits", "MFOBJECT", "combined blue"),
        ("something.fits", "", "object blue"),
    ],
)
def test_files_are_called_what_they_are(tmp_path: Path, name: str, frame_class: str, title: str) -> None:
    path = write_field(tmp_path, name, fibres=5, samples=20)
    fits.setval(path, "NDFCLASS", value=frame_class)
    assert FileShelf([path]).products[0].title == title


async def test_only_named_files_can_be_opened(folder: Path) -> None:
    shelf = FileShelf([folder / "combined.fits"])
    (only,) = shelf.products
    opened = await shelf.open(only.product_id, SIGHT)
    assert opened.file == (folder / "combined.fits").resolve()
    for other in ("", "../combined.fits", str(folder / "red/OBJ0008red.fits"), "combined.fits"):
        with pytest.raises(NotFoundError):
            await shelf.open(other, SIGHT)


async def test_changed_file_has_another_tag_and_a_lost_one_is_told(folder: Path) -> None:
    path = folder / "combined.fits"
    shelf = FileShelf([path])
    (only,) = shelf.products
    before = (await shelf.open(only.product_id, SIGHT)).tag
    os.utime(path, ns=(1, 1))
    assert (await shelf.open(only.product_id, SIGHT)).tag != before
    path.unlink()
    with pytest.raises(InvalidInputError, match=r"combined\.fits is gone"):
        await shelf.open(only.product_id, SIGHT)


async def test_files_are_found_by_words(folder: Path) -> None:
    shelf = FileShelf(gather([folder])[0])
    for words, count in (("", 3), ("red/", 1), ("fld195 20260312", 3), ("spliced", 1), ("nothing", 0)):
        found, total = await shelf.browse(BrowseQuestion(q=words), SIGHT)
        assert (len(found), total) == (count, count), words
    found, total = await shelf.browse(BrowseQuestion(limit=1), SIGHT)
    assert (len(found), total) == (1, 3)


def test_tree_follows_the_products_folder() -> None:
    products = [
        Shelved("1", "p0/580V/s1/20260312-A-p0/OBJ0011red.fits", "object"),
        Shelved("2", "p0/580V/s1/20260312-A-p0/combined_red.fits", "combined"),
        Shelved("3", "p0/spliced/20260312-A-p0-580V-s1-385R-s1-OBJ0011red.fits", "spliced", night="20260312", field="A"),
        Shelved("4", "p1/385R/s2/20260313-B-p1/OBJ0004red.fits", "object"),
    ]  # fmt: skip
    tree = tree_of(products)

    assert tree.count == 4
    assert [(branch.name, branch.count) for branch in tree.branches.values()] == [
        ("plate 0", 3),
        ("plate 1", 1),
    ]
    assert list(tree.branches["plate 0"].branches) == ["580V", "spliced"]
    leaf = tree.branches["plate 0"].branches["580V"].branches["set-up 1"].branches["20260312-A-p0"]
    assert [one.product_id for one in leaf.products] == ["1", "2"]
    assert steps_of(products[2]) == ["plate 0", "spliced", "20260312 A"]


def test_command_refuses_what_it_cannot_show(folder: Path) -> None:
    result = CliRunner().invoke(explore, [str(folder / "broken.fits"), str(folder / "BIAScombined.fits")])
    assert isinstance(result.exception, InvalidInputError)
    assert "None of these holds spectra" in result.exception.message
    assert "left out" in result.output
    assert "holds an image of the detector" in result.output


@pytest.mark.skipif(not real_products(), reason="no real products of 2dFdr (TEST_REAL_PRODUCTS)")
async def test_real_products_are_described() -> None:
    taken, refused = gather(real_products())
    assert refused == []
    products = {one.field: one for one in FileShelf(taken).products}
    assert products["FLD195_v03"].night == "20151217"
    assert products["DES-C1"].night == "20141030"
    assert {one.kind for one in products.values()} == {"spliced_combined"}
    assert {one.plate for one in products.values()} == {1}
