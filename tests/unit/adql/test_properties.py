"""Whatever is written: a tree that can be written back, or an error that can be shown."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adql import AdqlError, parse
from adql.resolve import resolve
from adql.text import render
from tests.unit.adql.test_parser import VALID
from tests.unit.adql.trees import queries

_light = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
PIECES = [
    *"()'\",.;*+-/<>=|!&",
    *(
        [
            "SELECT",
            "FROM",
            "WHERE",
            "GROUP",
            "BY",
            "ORDER",
            "HAVING",
            "TOP",
            "3",
            "JOIN",
            "ON",
            "USING",
            "NATURAL",
            "UNION",
            "ALL",
            "AND",
            "OR",
            "NOT",
            "IN",
            "IS",
            "NULL",
        ]
    ),
    *(
        [
            "name",
            "ra",
            "mag",
            "objects",
            "spectra",
            "survey",
            "COUNT",
            "MAX",
            "CIRCLE",
            "POINT",
            "CONTAINS",
            "CAST",
            "AS",
            "CASE",
            "WHEN",
            "THEN",
            "END",
            "1.5",
            "'x'",
            "\n",
        ]
    ),
]


@settings(_light, max_examples=30)
@given(queries())
def test_a_tree_written_as_text_is_read_as_itself(tree):
    assert parse(render(tree)) == tree


@_light
@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_text_is_a_tree_or_an_error(text):
    with contextlib.suppress(AdqlError):
        parse(text)


@_light
@given(st.data(), st.sampled_from(VALID))
def test_a_changed_query_is_resolved_or_refused_in_one_line(catalogue, data, text):
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 8, len(text))))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    try:
        resolve(parse(text), catalogue)
    except AdqlError as error:
        shown = str(error.located(text))
        assert shown
        assert "\n" not in shown
