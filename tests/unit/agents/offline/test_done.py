"""The list of what is done is believed only while the products lie there."""

from __future__ import annotations

import shutil

import pytest

from agents.offline.done import Done, DoneList, DoneProduct
from schemas.reductions import ProductInput
from schemas.vocabulary import ProductKind, ReductionKind

KEY, OTHER = "a" * 64, "b" * 64


def product_file(path, key=KEY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"SIMPLE  =                    T{'':50}PAWSJOB = '{key}'".encode().ljust(2880))
    return path


def done_of(key=KEY, path="p0/OBJ0001red.fits", beside=None):
    product = DoneProduct(
        kind=ProductKind.OBJECT, path=path, made_name="12mar10001red.fits", checksum="c" * 64, size_bytes=2880
    )
    return Done(
        job_key=key,
        night="20260312",
        slot="20260312/1/0001/object",
        kind=ReductionKind.REDUCE_OBJECT,
        products=(product,),
        beside=beside,
    )


def read(out, with_intermediate=False):
    found = DoneList.read(out / ".paws" / "done.jsonl", out, with_intermediate=with_intermediate)
    return [ending.job_key for ending in found.endings]


@pytest.fixture
def out(tmp_path):
    product_file(tmp_path / "p0" / "OBJ0001red.fits")
    DoneList.read(tmp_path / ".paws" / "done.jsonl", tmp_path, with_intermediate=False).add(done_of())
    return tmp_path


def test_what_is_done_is_known_again(out):
    assert read(out) == [KEY]


def test_a_copied_folder_is_understood(out, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(out, copy, copy_function=shutil.copyfile)
    assert read(copy) == [KEY]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: product_file(path, OTHER),
        lambda path: path.write_bytes(b"x" * 2880),
    ],
    ids=["deleted", "empty", "cut", "of another reduction", "no product"],
)
def test_what_does_not_lie_there_is_not_done(out, spoil):
    spoil(out / "p0" / "OBJ0001red.fits")
    assert read(out) == []


def test_a_torn_or_foreign_line_is_passed_over(out):
    with (out / ".paws" / "done.jsonl").open("ab") as stream:
        stream.write(b'{"slot": 3}\n\xff\xfe\n' + done_of(OTHER).model_dump_json().encode()[:60])
    assert read(out) == [KEY]
    assert (out / ".paws" / "done.jsonl").read_text() == done_of().model_dump_json() + "\n"


def test_intermediate_frames_are_missed_only_when_they_are_wanted(out):
    assert read(out, with_intermediate=True) == []


def test_intermediate_frames_must_lie_there_when_they_are_wanted(tmp_path):
    product_file(tmp_path / "p0" / "OBJ0001red.fits")
    beside = product_file(tmp_path / "p0" / "OBJ0001im.fits")
    done = DoneList.read(tmp_path / ".paws" / "done.jsonl", tmp_path, with_intermediate=True)
    done.add(done_of(beside=("p0/OBJ0001im.fits",)))
    assert read(tmp_path, with_intermediate=True) == [KEY]
    beside.unlink()
    assert read(tmp_path) == [KEY]
    assert read(tmp_path, with_intermediate=True) == []


def test_products_are_found_for_those_who_read_them(tmp_path):
    done = DoneList.read(tmp_path / ".paws" / "done.jsonl", tmp_path, with_intermediate=False)
    done.add(done_of())
    wanted = ProductInput(job_key=KEY, kind=ProductKind.OBJECT)
    (found,) = done.find([wanted, ProductInput(job_key=KEY, kind=ProductKind.ARC)])
    assert (found.product, found.stored_path, found.name) == (
        wanted,
        "p0/OBJ0001red.fits",
        "12mar10001red.fits",
    )
    assert done.count_products([KEY, OTHER]) == 1
