"""Errors and ends of streams: before the first byte, between two chunks, and when nobody reads any more."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc

import pytest

from adql.catalogue import Column
from paws.errors import InvalidInputError, PermanentError, RetriableError
from tests.unit.web.vo.formats.results import COLUMNS, ROWS
from tests.unit.web.vo.formats.test_votable import parsed, statuses
from web.vo.formats import ResultInfo, begun, named, write
from web.vo.formats.values import UNEXPLAINED

ONE = [Column("n", "int")]


async def failing(chunks, error):
    for chunk in chunks:
        yield chunk
    raise error


async def collected(stream):
    return b"".join([piece async for piece in stream])


@pytest.mark.parametrize(
    ("name", "chunks"),
    [("votable", []), ("csv", []), ("json", []), ("fits", [[(1,)]]), ("parquet", [[(1,)]])],
)
async def test_what_fails_before_the_first_byte_is_raised(name, chunks):
    stream = write(named(name), ONE, failing(chunks, RetriableError("the database is away")))
    with pytest.raises(RetriableError):
        await begun(stream)


@pytest.mark.parametrize("name", ["votable/td", "votable/b2"])
async def test_what_fails_later_is_told_behind_the_rows(name):
    stream = await begun(write(named(name), COLUMNS, failing([ROWS], RetriableError("it took > 60 s"))))
    document = await collected(stream)
    assert statuses(document) == [("OK", None), ("ERROR", "it took > 60 s")]
    assert len(parsed(document).get_first_table().array) == len(ROWS)


async def test_json_tells_errors_too():
    found = json.loads(await collected(write(named("json"), ONE, failing([[(1,)]], RetriableError("away")))))
    assert (found["data"], found["status"], found["message"]) == ([[1]], "ERROR", "away")


async def test_a_part_of_the_rows_is_no_result_where_all_are_needed():
    counts = []
    info = ResultInfo(whole=True, counted=counts.append)
    chunks = [[(1,)], [(2,), (3,)]]
    with pytest.raises(RetriableError):
        await collected(write(named("votable"), ONE, failing(chunks, RetriableError("away")), info=info))
    assert counts == []


@pytest.mark.parametrize(("limit", "count"), [(None, 3), (3, 3), (2, 2), (0, 0)])
async def test_rows_are_counted_as_they_are_written(limit, count):
    async def chunks():
        yield [(1,)]
        yield [(2,), (3,)]

    counts = []
    await collected(write(named("csv"), ONE, chunks(), limit=limit, info=ResultInfo(counted=counts.append)))
    assert counts == [count]


async def test_words_of_strange_errors_stay_inside():
    secret = OSError("/var/lib/secret")
    document = await collected(write(named("votable"), ONE, failing([[(1,)]], secret)))
    assert statuses(document)[1] == ("ERROR", UNEXPLAINED)
    info = ResultInfo(explain=lambda error: f"a {type(error).__name__}")
    document = await collected(write(named("votable"), ONE, failing([[(1,)]], secret), info=info))
    assert statuses(document)[1] == ("ERROR", "a OSError")


@pytest.mark.parametrize("name", ["csv", "tsv"])
async def test_formats_without_a_place_for_errors_break_off(name):
    rows = [[(number,) for number in range(20_000)]]
    stream = await begun(write(named(name), ONE, failing(rows, RetriableError("away"))))
    with pytest.raises(RetriableError):
        await collected(stream)


async def test_a_column_that_no_result_can_hold_is_named():
    with pytest.raises(InvalidInputError, match="Column odd has the datatype 'bit'"):
        await begun(write(named("csv"), [Column("odd", "bit")], None))


@pytest.mark.parametrize("name", ["votable", "votable/b2", "json", "csv", "fits", "parquet"])
@pytest.mark.parametrize("value", ["<b>1</b>", "1,2", [1, 2]])
async def test_what_is_no_number_does_not_pass_for_one(name, value):
    with pytest.raises((ValueError, TypeError, PermanentError)):
        await collected(write(named(name), ONE, failing_never([[(value,)]])))


@pytest.mark.parametrize("name", ["votable/b2", "votable/b", "fits", "parquet"])
async def test_numbers_that_are_too_large_for_their_bytes_are_not_cut(name):
    with pytest.raises((ValueError, PermanentError)):
        await collected(write(named(name), [Column("n", "short")], failing_never([[(40_000,), (None,)]])))


@pytest.mark.parametrize("name", ["votable", "fits", "parquet", "csv"])
async def test_a_query_is_given_back_when_its_reader_goes(name):
    closed = asyncio.Event()

    async def rows():
        try:
            while True:
                yield [(1,)] * 5_000
        finally:
            closed.set()

    stream = write(named(name), ONE, rows(), limit=200_000)
    await anext(stream)
    await stream.aclose()
    assert closed.is_set()


async def test_a_query_is_given_back_at_its_limit():
    closed = asyncio.Event()

    async def rows():
        try:
            while True:
                yield [(1,)] * 7
        finally:
            closed.set()

    text = (await collected(write(named("csv"), ONE, rows(), limit=20))).decode()
    assert len(list(csv.reader(io.StringIO(text)))) == 21
    assert closed.is_set()


async def test_without_rows_wanted_the_query_is_not_run():
    async def rows():
        raise AssertionError("the query ran")
        yield

    assert b"OVERFLOW" in await collected(write(named("votable"), ONE, rows(), limit=0))


async def test_small_results_are_one_piece():
    pieces = [piece async for piece in write(named("votable"), COLUMNS, failing_never([ROWS]))]
    assert len(pieces) == 1


async def failing_never(chunks):
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("name", ["votable/td", "votable/b2", "csv", "json"])
async def test_memory_does_not_grow_with_the_rows(name):
    """Ten times the rows, and no more memory: what is held is a chunk and what is about to be sent."""
    columns = [Column("n", "long"), Column("x", "double"), Column("note", "char", "*")]
    chunk = [(number, number / 7, f"star {number}") for number in range(1_000)]

    async def most(chunks):
        async def rows():
            for _ in range(chunks):
                yield chunk

        tracemalloc.start()
        size = 0
        async for piece in write(named(name), columns, rows()):
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak, size

    await most(2)
    (small, few), (large, many) = await most(5), await most(50)
    assert many > 9 * few
    assert large < 1.5 * small
