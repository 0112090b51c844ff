"""What is resolved is a query that the database takes: no error of its own reaches a user."""

from __future__ import annotations

from random import Random

from adql import compile_query
from tests.support.adql_sky import CATALOGUE
from tests.vo.random_queries import Writer

QUERIES = 100


def test_the_database_takes_whatever_is_resolved(sky):
    for seed in range(QUERIES):
        text = Writer(Random(seed)).query()
        sql = compile_query(text, CATALOGUE, sky.backend, limit=5).sql
        try:
            sky.rows(f"EXPLAIN {sql}")
        except Exception as error:
            error.add_note(f"query {seed}: {text}\n{sql}")
            raise
