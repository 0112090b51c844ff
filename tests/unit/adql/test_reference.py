"""The page about the language says what is true: its queries run, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adql import compile_query
from adql.catalogue import Catalogue, Table
from adql.functions import FUNCTIONS
from adql.udfs import UDFS
from adql.words import RESERVED
from paws.vo.declared.all import DECLARED

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "adql.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def own_tables() -> Catalogue:
    return Catalogue(
        Table(table.name, table.columns, table.relation, table.positions)
        for schema in DECLARED
        for table in schema.tables
    )


@pytest.mark.parametrize("backend", ["pgsphere", "cube"])
@pytest.mark.parametrize("text", QUERIES)
def test_queries_of_the_page_run(own_tables, text, backend):
    assert compile_query(text, own_tables, backend).sql


def test_all_functions_are_on_the_page():
    words = set(re.findall(r"\b\w+\b", PAGE))
    assert {name for name in FUNCTIONS if name not in words} == set()


def test_user_defined_functions_are_told_as_they_are_declared():
    assert [
        function.name for function in UDFS if f"| `{function.form}` | {function.description} |" not in PAGE
    ] == []


def test_functions_of_the_table_are_reserved_or_user_defined():
    assert {name for name in FUNCTIONS if name not in RESERVED and name.isupper()} == {"COT"}
