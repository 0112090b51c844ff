from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from agents.reducer.command import reprocess as reprocess_command
from agents.reducer.intake.storage import take_request
from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.runner import Runner, TryAgainLater
from paws.errors import InvalidInputError
from paws.orders.repeat import reprocess
from paws.settings import as_environment
from schemas.events import ReductionRequested
from schemas.reductions import ProductInput
from schemas.vocabulary import CalibrationRole, ProductKind, ReductionKind
from tests.support.reductions import AT, NIGHT, FakeEngine, ask_for, events_of, reduction_of, stored_frame


@pytest.fixture
async def night(database, pool, tmp_path):
    """A tramline map, an arc that reads it, and a bias whose reduction failed."""
    tlm = reduction_of(ReductionKind.MAKE_TLM, [await stored_frame(pool, tmp_path / "raw", 3)])
    role = {CalibrationRole.TLM: ProductInput(job_key=tlm.job_key, kind=ProductKind.TLM)}
    arc = reduction_of(
        ReductionKind.REDUCE_ARC, [await stored_frame(pool, tmp_path / "raw", 4)], calibrations=role
    )
    bias = reduction_of(ReductionKind.REDUCE_BIAS, [await stored_frame(pool, tmp_path / "raw", 1)])
    engine = FakeEngine()
    engine.behaviour[3] = lambda cwd: 2  # bad input: not tried again
    runner = Runner(settings=database, pool=pool, engine=engine, identity=runner_identity())
    for reduction in (tlm, arc, bias):
        await ask_for(pool, reduction)
        await runner.reduce(reduction.job_key)
    # The queue's part, which the worker does.
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM procrastinate_jobs")
    return {"tlm": tlm, "arc": arc, "bias": bias}, runner


async def _ask(pool, target, **options):
    options = {"night": None, "force": False, "kind": None, **options}
    async with pool.acquire() as connection:
        return [
            (item.kind.value, item.reason) for item in await reprocess(connection, target, **options, at=AT)
        ]


@pytest.mark.parametrize(
    ("target", "options", "asked"),
    [
        (NIGHT, {}, [("reduce_bias", "asked for")]),
        (None, {"night": NIGHT}, [("reduce_bias", "asked for")]),
        ("12mar20003", {}, []),
        (
            "12mar20003",
            {"force": True},
            [("make_tlm", "asked for"), ("reduce_arc", "reads what is repeated")],
        ),
        ("12mar20004.fits", {"force": True}, [("reduce_arc", "asked for")]),
        (NIGHT, {"force": True, "kind": ReductionKind.REDUCE_BIAS}, [("reduce_bias", "asked for")]),
    ],
)
async def test_what_is_asked_for(pool, night, target, options, asked):
    assert await _ask(pool, target, **options) == asked
    requests = [
        ReductionRequested.model_validate(event) for event in await events_of(pool, "reductions.requested")
    ]
    assert [request.reduction.kind.value for request in requests] == [kind for kind, _ in asked]
    assert all(request.force for request in requests)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("12mar29999", {}),
        ("20260101", {}),
        (None, {}),
        (NIGHT, {"night": "20260101"}),
        (None, {"night": "x"}),
        ("12mar20003", {"night": "20260101"}),
    ],
)
async def test_what_is_not_known_is_refused(pool, night, target, options):
    with pytest.raises(InvalidInputError):
        await _ask(pool, target, **options)


async def test_what_reads_a_repeated_product_comes_after_it(pool, night):
    reductions, runner = night
    await _ask(pool, "12mar20003", force=True)
    for event in await events_of(pool, "reductions.requested"):
        await take_request(pool, ReductionRequested.model_validate(event), AT)
    with pytest.raises(TryAgainLater):
        await runner.reduce(reductions["arc"].job_key)
    await runner.reduce(reductions["tlm"].job_key)
    await runner.reduce(reductions["arc"].job_key)
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT kind, version, provenance FROM product WHERE current ORDER BY kind"
        )
        tlm = await connection.fetchval("SELECT checksum FROM product WHERE kind = 'tlm'")
    assert [(row["kind"], row["version"]) for row in rows] == [("arc", 2), ("tlm", 2)]
    read = [item["checksum"] for item in rows[0]["provenance"]["inputs"] if item["role"] == "tlm"]
    assert read == [tlm]


async def test_the_command_prints_what_it_asked(database, pool, night, monkeypatch):
    import asyncio

    for name, value in as_environment(database).items():
        monkeypatch.setenv(name, value)
    assert os.environ["PAWS_DATABASE_URL"]
    plain, parsed = (
        await asyncio.to_thread(_invoke, [NIGHT]),
        await asyncio.to_thread(_invoke, [NIGHT, "--json"]),
    )
    assert "reduce_bias" in plain
    assert "1 reduction(s)" in plain
    assert json.loads(parsed)["asked"] == 1


def _invoke(arguments):
    result = CliRunner().invoke(reprocess_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
