from __future__ import annotations

import pytest

from agents.reducer.runner.identity import runner_identity
from agents.reducer.runner.runner import Runner
from agents.runtime import AgentContext
from agents.tap_ingest.agent import take_in
from agents.tap_ingest.reading import UnreadableProductError
from paws.database import migrations
from paws.errors import NotOursError
from schemas.events import ReductionFinished
from schemas.vocabulary import ReductionKind
from tests.support.reductions import FakeEngine, ask_for, events_of, reduction_of, stored_frame

FIGURES = [7.5, None, 1.0, 8.5, 0.25, 3.0]
"""Signal to noise of each fibre, as an engine may tell it."""


@pytest.fixture
def context(database, pool):
    context = AgentContext(database)
    context.pool = pool
    return context


@pytest.fixture
async def reduce(context, tmp_path):
    """Reduce a frame with the fake engine; the event that tells of it."""

    async def run(kind, run=11, **options):
        frame = await stored_frame(context.pool, tmp_path / "raw", run)
        inputs = options.pop("inputs", ())
        if kind is ReductionKind.COMBINE_SPECTRA:
            reduction = reduction_of(
                kind, inputs=inputs, subjects=[frame.frame_id], slot="x/combined", **options
            )
        else:
            reduction = reduction_of(kind, [frame], **options)
        await ask_for(context.pool, reduction)
        runner = Runner(
            settings=context.settings, pool=context.pool, engine=FakeEngine(), identity=runner_identity()
        )
        await runner.reduce(reduction.job_key)
        return ReductionFinished.model_validate((await events_of(context.pool, "reductions.finished"))[-1])

    return run


async def _spectra(context):
    async with context.pool.acquire() as connection:
        return await connection.fetch("SELECT * FROM spectrum ORDER BY product_id, fibre")


async def _science(reduce):
    from schemas.reductions import ProductInput
    from schemas.vocabulary import ProductKind

    bias = await reduce(ReductionKind.REDUCE_BIAS, run=1)
    inputs = [ProductInput(job_key=bias.job_key, kind=ProductKind.BIAS)]
    return await reduce(ReductionKind.COMBINE_SPECTRA, run=11, inputs=inputs)


async def test_spectra_become_rows_however_often_they_are_told(context, reduce):
    event = await _science(reduce)
    assert await take_in(context, event) == 5
    assert await take_in(context, event) == 5
    rows = await _spectra(context)
    assert [row["fibre"] for row in rows] == [1, 2, 3, 4, 5]
    assert {row["product_id"] for row in rows} == {event.products[0].product_id}
    assert rows[0]["mjd_start"] == pytest.approx(61111.61)


async def test_the_reducers_figure_of_each_fibre_is_taken(context, reduce):
    event = await _science(reduce)
    assert await take_in(context, event) == 5
    measured = [row["signal_to_noise"] for row in await _spectra(context)]
    assert None not in measured
    await context.pool.execute("UPDATE product SET quality = quality || $1", {"snr": FIGURES})
    assert await take_in(context, event) == 5
    assert [row["signal_to_noise"] for row in await _spectra(context)] == [7.5, None, 1.0, 8.5, 0.25]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (FIGURES, [7.5, None, 1.0, 8.5, 0.25]),
        ([1e-300, 1e300, "x", {}, -2, 0], [0.0, None, None, None, -2.0]),
        # Of another number of fibres, or no list: it is not what it is called.
        ([7.5], None),
        (7.5, None),
        ({"0": 7.5}, None),
    ],
)
async def test_rows_of_earlier_versions_get_it_too(context, reduce, figures, expected):
    await take_in(context, await _science(reduce))
    await context.pool.execute("UPDATE product SET quality = quality || $1", {"snr": figures})
    before = [row["signal_to_noise"] for row in await _spectra(context)]
    for _ in range(2):
        await context.pool.execute(dict(migrations())["0011_signal_to_noise.sql"])
    assert [row["signal_to_noise"] for row in await _spectra(context)] == (expected or before)


async def test_calibrations_are_not_for_it(context, reduce):
    event = await reduce(ReductionKind.REDUCE_BIAS)
    with pytest.raises(NotOursError):
        await take_in(context, event)


async def test_a_product_that_is_gone_does_not_hold_up_the_stream(context, reduce):
    event = await _science(reduce)
    async with context.pool.acquire() as connection:
        stored = await connection.fetchval(
            "SELECT stored_path FROM product WHERE product_id = $1", event.products[0].product_id
        )
    (context.settings.data_dir / stored).unlink()
    with pytest.raises(UnreadableProductError):
        await take_in(context, event)
    assert await _spectra(context) == []
