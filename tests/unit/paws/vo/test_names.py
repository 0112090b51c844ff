from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paws.errors import InvalidInputError
from paws.vo.declared.all import DECLARED
from paws.vo.names import (
    LONGEST,
    OURS,
    TableNameError,
    column_names,
    is_personal,
    personal_schema,
    published,
    quoted,
    table_name,
)
from paws.vo.publish.errors import PublishError
from paws.vo.publish.wish import check_description, name_for


def test_a_name_in_sql():
    assert quoted('a"b; --') == '"a""b; --"'
    for name in ("", "a\0b", "ü" * 32):
        with pytest.raises(InvalidInputError):
            quoted(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [("ra", "ra"), ("size", '"size"'), ("B-V", '"B-V"'), ('a"', '"a"""'), ("2mass", '"2mass"')],
)
def test_a_name_in_queries(name, text):
    assert published(name) == text


@pytest.mark.parametrize("text", ["gama.sources", " GAMA.Sources ", "a1.b_2"])
def test_names_of_tables(text):
    assert str(table_name(text)) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "sources",
            "a.b.c",
            ".b",
            "a.",
            "",
            "1a.b",
            "a.b-c",
            "a.b c",
            'a."b"',
            "a.ü",
            "a._b",
            f"a.{'b' * 51}",
        ),
        *(
            "pg_catalog.x",
            "information_schema.tables",
            "tap_schema.x",
            "TAP_UPLOAD.x",
            "ivoa.obscore",
            "paws.x",
        ),
        *("public.x", "vo.x", "published.x", "ssap.spectra", "a.table", "select.b", "a.b;drop", "a.\u0000"),
    ],
)
def test_what_no_table_can_be_called(text):
    with pytest.raises(TableNameError) as caught:
        table_name(text)
    assert caught.value.message


def test_no_schema_that_is_declared_is_for_others():
    assert {schema.name.lower() for schema in DECLARED} <= OURS


@given(st.lists(st.text(st.characters(codec=None), max_size=80), max_size=30))
def test_columns_get_names_that_differ_and_fit(names):
    found, warnings = column_names(names)
    assert len({item.name.lower() for item in found}) == len(names)
    assert len({item.stored.lower() for item in found}) == len(names)
    changed = 0
    for given_name, item in zip(names, found, strict=True):
        assert len(quoted(item.stored).encode()) >= 3
        assert len(item.name.encode()) <= LONGEST
        assert item.name.isprintable()
        assert item.stored.lower() not in ("ctid", "xmin", "tableoid")
        changed += item.name != given_name
    assert len(warnings) == changed


def test_columns_of_the_database_itself_are_stored_beside():
    (found,), warnings = column_names(["xmin"])
    assert (found.name, found.stored, warnings) == ("xmin", "xmin_2", [])


def test_personal_tables_have_a_schema_of_their_own():
    assert personal_schema("mia.b-c") == "user_mia_b_c"
    assert is_personal(table_name("user_mia.x"))
    assert str(name_for("stars", "user_mia")) == "user_mia.stars"
    assert str(name_for("User_Mia.stars", "user_mia")) == "user_mia.stars"
    assert str(name_for("stars", "user_mia_3")) == "user_mia_3.stars"
    with pytest.raises(PublishError, match="user_mia"):
        name_for("gama.stars", "user_mia")
    with pytest.raises(PublishError, match="personal"):
        name_for("user_mia.stars", None)
    assert str(name_for("gama.stars", None)) == "gama.stars"


def test_descriptions_are_text():
    assert check_description(" two\nlines ") == "two\nlines"
    for text in ("x" * 4001, "a\x07"):
        with pytest.raises(PublishError):
            check_description(text)
