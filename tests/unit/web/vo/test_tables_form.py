"""Taking the upload form apart while it arrives."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from web.vo.tables.form import FormReader
from web.vo.tables.receiving import told

HEAD = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nproof\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="..\\\\a/b.csv"\r\nContent-Type: text/csv\r\n\r\n'
END = b"\r\n--x--\r\n"


def reader(folder, most=100):
    def before(fields):
        if fields.get("csrf") != "proof":
            raise HTTPException(HTTPStatus.FORBIDDEN, "no proof")

    return FormReader(b"x", {"file": (folder / "table", most), "metadata": (folder / "metadata", 10)}, before)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_fields_and_files_however_they_arrive(tmp_path, size):
    body = HEAD + FILE + b"a,b\r\n--x\r1,2" + END
    form = reader(tmp_path)
    for start in range(0, len(body), size):
        form.write(body[start : start + size])
    form.close()
    assert form.complete
    assert form.fields == {"csrf": "proof"}
    assert (tmp_path / "table").read_bytes() == b"a,b\r\n--x\r1,2"
    assert told(form.names["file"]) == "b.csv"


def test_a_field_without_a_file_is_none(tmp_path):
    form = reader(tmp_path)
    form.write(HEAD + FILE + END)
    assert form.complete
    assert form.names == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (FILE + b"1" + END, 403),  # the file before its proof
        (HEAD.replace(b"proof", b"other") + FILE, 403),
        (HEAD + FILE + b"1" * 101, 413),
        (HEAD + FILE + b"1\r\n" + FILE + b"2" + END, 400),
        (HEAD + FILE.replace(b'"file"', b'"other"') + b"1" + END, 400),
        (HEAD.replace(b"proof", b"p" * 30_000), 400),
        (HEAD.replace(b"proof", b"\xff"), 400),
        (HEAD.replace(b"proof", b"a\0b"), 400),
        (HEAD * 30, 400),
        (b"--x\r\nContent-Disposition: " + b"y" * 5000, 400),
        (b"nonsense", 400),
        (HEAD + FILE.replace(b'"file"', b'"metadata"') + b"1" * 11, 413),
    ],
)
def test_what_is_refused(tmp_path, body, status):
    form = reader(tmp_path)
    with pytest.raises(HTTPException) as caught:
        form.write(body + b"\r\n--x\r\n")
    form.close()
    assert caught.value.status_code == status


def test_a_form_that_ends_too_early_is_not_complete(tmp_path):
    form = reader(tmp_path)
    form.write(HEAD + FILE + b"1,2")
    form.close()
    assert not form.complete


@given(st.binary(max_size=400))
def test_no_bytes_do_anything_but_be_refused(tmp_path_factory, body):
    form, status = reader(tmp_path_factory.mktemp("form")), 400
    try:
        form.write(b"--x\r\n" + body)
    except HTTPException as error:
        status = error.status_code
    finally:
        form.close()
    assert status in (400, 403, 413)


@pytest.mark.parametrize(
    ("name", "shown"), [("C:\\a\\b.fits", "b.fits"), ("../../x", "x"), ("a\nb\x07", "ab"), (None, "")]
)
def test_names_of_files_as_they_are_shown(name, shown):
    assert told(name) == shown
