"""Tables by their names."""

from __future__ import annotations

import pytest

from adql.catalogue import Catalogue, Column, Table, split_name
from adql.errors import AdqlNameError
from adql.tree import Identifier
from adql.words import quoted


def table(name: str) -> Table:
    return Table(name, (Column("a", "int"),), name)


CATALOGUE = Catalogue(
    [
        table("ivoa.obscore"),
        table("paws.spectra"),
        table("ssap.spectra"),
        table('vizier."I/239/hip"'),
        table("Alone"),
    ]
)


def written(text: str) -> tuple[Identifier, ...]:
    return tuple(Identifier(part, delimited=f'"{part}"' in text) for part in split_name(text))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ivoa.obscore", "ivoa.obscore"),
        ("IVOA.ObsCore", "ivoa.obscore"),
        ("obscore", "ivoa.obscore"),
        ('"ivoa"."obscore"', "ivoa.obscore"),
        ("paws.spectra", "paws.spectra"),
        ('vizier."I/239/hip"', 'vizier."I/239/hip"'),
        ('"I/239/hip"', 'vizier."I/239/hip"'),
        ("alone", "Alone"),
    ],
)
def test_a_table_is_found(name, found):
    assert CATALOGUE.find(written(name)).name == found


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("obscor", "did you mean ivoa.obscore?"),
        ("ivoa.obscores", "did you mean ivoa.obscore?"),
        ('"ObsCore"', "did you mean ivoa.obscore?"),
        ("ivoa.spectra", "did you mean"),
        ("spectra", "paws.spectra or ssap.spectra"),
        ("db.ivoa.obscore", "did you mean ivoa.obscore?"),
        ("zzz", "TAP_SCHEMA.tables"),
    ],
)
def test_a_table_that_is_not_there_or_not_alone_is_refused_with_a_hint(name, hint):
    with pytest.raises(AdqlNameError) as caught:
        CATALOGUE.find(written(name))
    assert hint in caught.value.suggestion


def test_tables_that_come_with_a_query_are_added():
    more = CATALOGUE.with_tables([table("TAP_UPLOAD.mine")])
    assert more.find(written("tap_upload.MINE")).relation == "TAP_UPLOAD.mine"
    assert len(more) == len(CATALOGUE) + 1


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a", ("a",)), ("a.b", ("a", "b")), ('a."b.c"', ("a", "b.c")), ('"x""y".b', ('x"y', "b"))],
)
def test_names_are_split_at_dots_outside_of_quotes(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("name", "as_written"),
    [("ra", "ra"), ("RA_2", "RA_2"), ("size", '"size"'), ("B-V", '"B-V"'), ('a"b', '"a""b"'), ("_x", '"_x"')],
)
def test_names_are_quoted_where_they_must(name, as_written):
    assert quoted(name) == as_written
