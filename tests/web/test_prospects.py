"""Calibrations of the archive's frames: what is read step by step leads to what all nights together would."""

from __future__ import annotations

import pytest

from paws.database import open_pool
from paws.matching.policy import MatchPolicy
from paws.matching.retrospect import look_back, seen_afterwards
from paws.matching.state import NightState
from paws.settings import Settings
from schemas.frames import Frame
from schemas.vocabulary import CalibrationRole, FrameClass, ReductionKind
from tests.support.nights import EVENING, NIGHT, Observatory, make_night
from tests.support.seasons import write_frames
from web.archive.prospects import document_of, retrospect

POLICY = MatchPolicy()
NIGHTS = ("20260305", "20260311", NIGHT, "20260313")


def frames_of(lacking: set[FrameClass]) -> list[Frame]:
    """Four nights; the one that is looked back on lacks some classes."""
    return [
        frame
        for night in NIGHTS
        for frame in make_night(fields=2, exposures=1, biases=2, night=night)
        if night != NIGHT or frame.frame_class not in lacking
    ]


@pytest.mark.parametrize(
    "lacking",
    [
        set(),
        {FrameClass.BIAS},
        {FrameClass.MFARC},
        {FrameClass.MFFFF, FrameClass.MFARC},
        {FrameClass.MFFFF, FrameClass.MFARC, FrameClass.BIAS},
    ],
)
async def test_as_much_is_read_as_the_rules_need(database: Settings, lacking: set[FrameClass]) -> None:
    frames = frames_of(lacking)
    wanted = [one.frame_id for one in frames if one.night == NIGHT and one.frame_class.is_science]
    states = {night: NightState(night) for night in NIGHTS}
    for frame in frames:
        states[frame.night].fold_frame(seen_afterwards(frame, POLICY, subject=frame.frame_id in wanted))
    whole = look_back(states, NIGHT, POLICY).prospects
    async with open_pool(database) as pool:
        async with pool.acquire() as connection:
            await write_frames(connection, frames)
        found = (await retrospect(pool, NIGHT, wanted, POLICY)).prospects
    assert {name: document_of(one) for name, one in found.items()} == {
        name: document_of(one) for name, one in whole.items()
    }
    assert len(found) == 4
    assert all(not one.lacks for one in found.values())


async def test_what_failed_is_passed_over_with_its_reason(database: Settings) -> None:
    frames = make_night(fields=1, exposures=1, biases=0)
    observatory = Observatory(policy=POLICY)
    observatory.arrive(*frames)
    (failing, *_) = [one for one in observatory.plan().ready if one.kind is ReductionKind.MAKE_TLM]
    (flat,) = failing.frames
    arm = next(frame.arm for frame in frames if frame.frame_id == flat.frame_id)
    (science,) = [one.frame_id for one in frames if one.frame_class.is_science and one.arm is arm]
    async with open_pool(database) as pool:
        async with pool.acquire() as connection:
            await write_frames(connection, frames)
        before = (await retrospect(pool, NIGHT, [science], POLICY)).prospects[science]
        await pool.execute(
            "INSERT INTO reduction (job_key, slot, kind, night, state, priority, engine, engine_version, document, error,"
            " requested_at) VALUES ($1, $2, 'make_tlm', $3, 'failed', 1, 'builtin', 'test', '{}', 'no light', $4)",
            *(failing.job_key, failing.slot, NIGHT, EVENING),
        )
        after = (await retrospect(pool, NIGHT, [science], POLICY)).prospects[science]
    chosen = {item.role: item.chosen for item in before.decisions}[CalibrationRole.TLM]
    assert chosen is not None
    assert chosen.frame_id == flat.frame_id
    tramlines = {item.role: item for item in after.decisions}[CalibrationRole.TLM]
    assert tramlines.chosen is None or tramlines.chosen.frame_id != flat.frame_id
    assert (flat.frame_id, "its reduction failed: no light") in tramlines.refused
