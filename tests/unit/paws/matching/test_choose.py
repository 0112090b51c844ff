"""Tables of cases: which flat is best, which candidate is taken, what is passed over and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from paws.matching.choose import (
    Candidate,
    Offer,
    Progress,
    Refusal,
    nearby_fibre_frames,
    nearby_sessions,
    pick,
)
from paws.matching.fitness import rank_flats, unfit
from paws.matching.night_index import NightIndex
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import JunkMark, Sighting
from paws.matching.splicing import half_range, why_not_spliced
from schemas.frames import Frame
from schemas.vocabulary import Arm, CalibrationLevel, CalibrationRole, FrameClass, ProductKind
from tests.support.nights import EVENING, NIGHT, make_frame

POLICY = MatchPolicy()


def seen(*args: Any, **facts: Any) -> Sighting:
    return Sighting(make_frame(*args, **facts), EVENING)


@pytest.mark.parametrize(
    ("flats", "ranks"),
    [
        # bright [ADU], saturated part -> rank
        ([(20000, 0.0)], [0]),
        ([(20000, 0.0), (900, 0.0)], [0, 1]),
        ([(20000, 0.0), (19000, 0.0)], [0, 0]),
        ([(20000, 0.0), (65000, 0.15)], [0, 1]),
        ([(900, 0.0), (65000, 0.03)], [1, 0]),
        ([(900, 0.0), (65000, 0.15)], [0, 1]),
        ([(20000, 0.0), (30000, 0.0), (60000, 0.02)], [1, 0, 2]),
    ],
)
def test_the_best_exposed_flat_comes_first(flats: list[tuple[float, float]], ranks: list[int]) -> None:
    frames = [
        seen("MFFFF", run, bright=bright, saturated=saturated)
        for run, (bright, saturated) in enumerate(flats, start=1)
    ]

    ranked = {item.sighting.frame.run: item for item in rank_flats(frames)}

    assert [ranked[run].rank for run in range(1, len(flats) + 1)] == ranks
    for item in ranked.values():
        assert "ADU" in item.reason
        assert ("better exposed" in item.reason) == (item.rank > 0)


def test_the_rank_of_flats_does_not_depend_on_their_order() -> None:
    flats = [seen("MFFFF", run, bright=20000) for run in range(1, 5)]
    assert rank_flats(flats) == rank_flats(reversed(flats))


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (make_frame("MFFFF", 1, saturated=0.21), "saturated"),
        (make_frame("MFFFF", 1, saturated=0.19), None),
        (make_frame("MFARC", 1, saturated=0.5), "saturated"),
        (make_frame("BIAS", 1, exposed=5.0), "not exposed"),
        (make_frame("BIAS", 1), None),
        (make_frame("MFOBJECT", 1, saturated=0.9), None),
    ],
)
def test_what_cannot_serve_is_told_why(frame: Frame, word: str | None) -> None:
    reason = unfit(frame)
    assert reason is None if word is None else word in (reason or "")


@dataclass
class Made:
    """A stand-in for a task: a product with its progress."""

    name: str
    progress: Progress
    now: bool | None = None
    reason: str = "why not"

    @property
    def offer(self) -> Offer:
        return Offer(self.name * 64, ProductKind.ARC)

    @property
    def offer_now(self) -> Offer | None:
        ready = self.progress is Progress.DONE if self.now is None else self.now
        return self.offer if ready else None


D, C, H, B, F = Progress.DONE, Progress.COMING, Progress.HELD, Progress.BLOCKED, Progress.FAILED


@pytest.mark.parametrize(
    ("progress", "chosen", "ready", "refused"),
    [
        ([], None, None, 0),
        ([D, D], 0, 0, 0),
        ([C, D], 0, 1, 0),
        ([H, C, D], 0, 2, 0),
        ([F, D], 1, 1, 1),
        ([F, B, C], 2, None, 2),
        ([C, F, D], 0, 2, 0),
        ([F, F], None, None, 2),
    ],
)
def test_the_first_that_can_be_had_is_taken(
    progress: list[Progress], chosen: int | None, ready: int | None, refused: int
) -> None:
    candidates = [
        Candidate(Made(str(n), item), (seen("MFARC", n + 1),), CalibrationLevel.SAME_FIELD, 0.1)
        for n, item in enumerate(progress)
    ]
    junked = Refusal("junked", "clouds")

    decision = pick(CalibrationRole.ARC, iter(candidates), (junked,), "no arc")

    assert decision.chosen is (None if chosen is None else candidates[chosen])
    assert decision.ready is (None if ready is None else candidates[ready])
    assert decision.refused == (
        junked,
        *(Refusal(item.frame_id, "why not") for item in candidates[:refused]),
    )
    assert decision.missing == ("no arc" if chosen is None else "")


def indices(*sightings: Sighting, junk: dict[str, JunkMark] | None = None) -> dict[str, NightIndex]:
    nights = sorted({item.frame.night for item in sightings})
    return {
        night: NightIndex.build(night, [item for item in sightings if item.frame.night == night], junk or {})
        for night in nights
    }


def test_arcs_come_from_near_to_far() -> None:
    science = seen("MFOBJECT", 10)
    arcs = {
        "other plate": seen("MFARC", 1, plate=1, field_name="B"),
        "same field, earlier": seen("MFARC", 2, minutes=10),
        "same field, nearer": seen("MFARC", 12, minutes=35),
        "same plate": seen("MFARC", 9, minutes=29, field_name="C"),
        "last night": seen("MFARC", 3, night="20260311"),
        "this run": seen("MFARC", 4, night="20260305"),
        "another run": seen("MFARC", 5, night="20260201"),
        "another grating": seen("MFARC", 6, grating="1700B"),
        "another arm": seen("MFARC", 7, Arm.RED),
    }
    known = indices(science, *arcs.values())
    names = {item.frame_id: name for name, item in arcs.items()}

    found = [
        (names[item.sighting.frame_id], item.level.label)
        for item in nearby_fibre_frames(science, FrameClass.MFARC, known, POLICY)
    ]

    assert found == [
        ("same field, nearer", "L0"),
        ("same field, earlier", "L0"),
        ("same plate", "L1"),
        ("last night", "L2"),
        ("this run", "L3"),
    ]
    library = MatchPolicy(max_level=CalibrationLevel.LIBRARY)
    beyond = list(nearby_fibre_frames(science, FrameClass.MFARC, known, library))[len(found) :]
    assert [(names[item.sighting.frame_id], item.level.label) for item in beyond] == [("another run", "L4")]
    strict = MatchPolicy(max_level=CalibrationLevel.SAME_FIELD)
    assert len(list(nearby_fibre_frames(science, FrameClass.MFARC, known, strict))) == 2


def test_biases_before_the_frame_are_preferred_and_later_nights_are_not_looked_at() -> None:
    science = seen("MFOBJECT", 100, minutes=600)
    afternoon = [seen("BIAS", run, minutes=run) for run in (1, 2)]
    morning = [seen("BIAS", run, minutes=605 + run) for run in (101, 102)]
    before = seen("BIAS", 1, night="20260311")
    after = seen("BIAS", 1, night="20260313")
    known = indices(science, *afternoon, *morning, before, after)

    found = [
        (level.label, [item.frame_id for item in session.members], session.label)
        for level, _, session in nearby_sessions(science, FrameClass.BIAS, known, POLICY)
    ]

    assert found == [
        ("L0", [item.frame_id for item in afternoon], ""),
        ("L0", [item.frame_id for item in morning], "-2"),
        ("L2", [before.frame_id], ""),
    ]


def test_the_dark_of_the_nearest_exposure_time_comes_first() -> None:
    science = seen("MFOBJECT", 10, exposed=1200.0)
    darks = [
        seen("DARK", run, exposed=exposed)
        for run, exposed in ((1, 300.0), (2, 1800.0), (3, 1300.0), (4, 1300.0))
    ]

    found = nearby_sessions(science, FrameClass.DARK, indices(science, *darks), POLICY)

    assert [(session.label, len(session.members)) for _, _, session in found] == [
        ("1300", 2),
        ("1800", 1),
        ("300", 1),
    ]


def test_a_newer_file_of_the_same_run_replaces_the_older() -> None:
    old = seen("MFOBJECT", 5, content="old")
    new = seen("MFOBJECT", 5, content="new", completed_at=EVENING.replace(hour=20))
    for order in ((old, new), (new, old)):
        index = NightIndex.build(NIGHT, order, {})
        assert list(index.aside) == [old.frame_id]
        assert "newer" in index.aside[old.frame_id].reason
    junk = {new.frame_id: JunkMark(True, "wrong", "me", EVENING)}
    assert list(NightIndex.build(NIGHT, (old, new), junk).aside) == [new.frame_id]


def test_a_fibre_frame_without_a_plate_cannot_be_reduced() -> None:
    lost = seen("MFARC", 3, plate=None)
    aside = NightIndex.build(NIGHT, [lost], {}).aside[lost.frame_id]
    assert aside.state == "failed"
    assert "SOURCE" in aside.reason


@pytest.mark.parametrize(
    ("blue", "red", "word"),
    [
        (("580V", 4800), ("385R", 7250), None),
        (("1700B", 4000), ("1700D", 8600), "gap"),
        (("580V", 4800), ("XYZ", 7250), None),
        (("580V", 0), ("385R", 7250), None),
    ],
)
def test_arms_with_a_gap_between_them_are_not_joined(
    blue: tuple[str, int], red: tuple[str, int], word: str | None
) -> None:
    one = make_frame("MFOBJECT", 1, Arm.BLUE, grating=blue[0], central_wavelength=blue[1])
    two = make_frame("MFOBJECT", 1, Arm.RED, grating=red[0], central_wavelength=red[1])
    reason = why_not_spliced(one, two)
    assert reason is None if word is None else word in (reason or "")


def test_the_predicted_range_agrees_with_the_known_dispersions() -> None:
    # Ranges of 2048 pixels at the dispersions of the instrument's handbook.
    assert half_range("580V") == pytest.approx(1024 * 1.03, rel=0.03)
    assert half_range("385R") == pytest.approx(1024 * 1.57, rel=0.03)
    assert half_range("none") is None
