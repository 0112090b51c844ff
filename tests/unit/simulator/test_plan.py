from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import InvalidPlanError
from simulator.plan import (
    FrameClass,
    Illumination,
    frame_path,
    plan_night,
)
from simulator.timescale import modified_julian_date, parse_night, sidereal_degrees


def test_the_default_night_of_a_field() -> None:
    plan = plan_night("20260312", fields=1, exposures=3)
    classes = [exposure.frame_class.value for exposure in plan]
    assert classes == ["BIAS"] * 5 + ["DARK", "MFFFF", "MFFFF", "MFARC"] + ["MFOBJECT"] * 3
    assert [exposure.run for exposure in plan] == list(range(1, 13))
    assert [exposure.exposed_for for exposure in plan[6:8]] == ["blue", "red"]
    assert plan.frame_count == 24
    assert all(exposure.field is None for exposure in plan[:6])
    assert plan[9].seconds == 1800.0


def test_names_and_folders_are_those_of_the_telescope() -> None:
    assert frame_path(date(2023, 10, 25), "blue", 10) == Path("231025/ccd_1/25oct10010.fits")
    assert frame_path(date(2015, 12, 7), "red", 9999) == Path("151207/ccd_2/07dec29999.fits")
    exposure = plan_night("20260312", exposures=1)[0]
    assert {path.name[6:10] for path in exposure.paths.values()} == {"0001"}


def test_plates_take_turns_and_configurations_name_them() -> None:
    plan = plan_night("20260312", fields=4, exposures=1)
    assert [field.plate for field in plan.fields] == [0, 1, 0, 1]
    assert [field.configuration[-6:] for field in plan.fields] == ["p0.sds", "p1.sds", "p0.sds", "p1.sds"]
    assert len({field.label for field in plan.fields}) == 4
    assert all(exposure.plate == exposure.field.plate for exposure in plan if exposure.field)


def test_one_arm_needs_one_flat() -> None:
    plan = plan_night("20260312", arms=["red"], exposures=1, biases=0, darks=0)
    assert [exposure.frame_class for exposure in plan] == [FrameClass.FLAT, FrameClass.ARC, FrameClass.OBJECT]
    assert plan.arms == ("red",)


def test_twilight_and_offset_sky_are_sky_frames() -> None:
    plan = plan_night("20260312", exposures=1, twilight=True, offset_sky=True)
    lights = [exposure.light for exposure in plan if exposure.frame_class is FrameClass.SKY]
    assert lights == [Illumination.TWILIGHT, Illumination.NIGHT_SKY]


@settings(max_examples=60, deadline=None)
@given(
    fields=st.integers(0, 8),
    exposures=st.integers(0, 10),
    biases=st.integers(0, 20),
    darks=st.integers(0, 3),
    twilight=st.booleans(),
    offset_sky=st.booleans(),
)
def test_a_night_is_in_order_and_ends_before_the_sun_is_high(
    fields: int, exposures: int, biases: int, darks: int, twilight: bool, offset_sky: bool
) -> None:
    plan = plan_night(
        "20260312",
        fields=fields,
        exposures=exposures,
        biases=biases,
        darks=darks,
        twilight=twilight,
        offset_sky=offset_sky,
    )
    clock = datetime(2026, 3, 12, 3, tzinfo=UTC)
    for exposure in plan:
        assert exposure.start >= clock
        clock = exposure.start + timedelta(seconds=exposure.seconds + 120)
    assert clock <= datetime(2026, 3, 12, 20, tzinfo=UTC)
    assert sum(exposure.frame_class is FrameClass.OBJECT for exposure in plan) == fields * exposures


def test_planning_is_pure() -> None:
    again = [plan_night("20260312", fields=2, seed=5) for _ in range(2)]
    assert again[0] == again[1]
    assert plan_night("20260312", fields=2, seed=6).fields != again[0].fields


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("2026-03-12", "YYYYMMDD"),
        ("260312", "YYYYMMDD"),
        ("20260230", "calendar"),
        ("19500101", "1996"),
        ("٢٠٢٦٠٣١٢", "YYYYMMDD"),
        ("", "YYYYMMDD"),
    ],
)
def test_what_is_not_a_night_is_refused(text: str, word: str) -> None:
    with pytest.raises(InvalidPlanError, match=word):
        parse_night(text)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"fields": -1}, "fields"),
        ({"fields": 51}, "fields"),
        ({"exposures": 501}, "exposures"),
        ({"biases": -1}, "biases"),
        ({"darks": 21}, "darks"),
        ({"seed": -1}, "seed"),
        ({"arms": []}, "at least one arm"),
        ({"arms": ["blue", "blue"]}, "twice"),
        ({"arms": ["green"]}, "green"),
        ({"gratings": {"blue": "385R"}}, "belongs to the red arm"),
        ({"gratings": {"purple": "385R"}}, "purple"),
        ({"centres": {"red": 100.0}}, "outside"),
        ({"dichroic": "X1"}, "X5700"),
        ({"exposure_seconds": 0.0}, "1 to 7200"),
        ({"fields": 10, "exposures": 10, "exposure_seconds": 1800.0}, "do not fit one night"),
        ({"fields": 50, "exposures": 500}, "do not fit one night"),
    ],
)
def test_plans_that_cannot_be_are_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidPlanError, match=word):
        plan_night("20260312", **options)  # type: ignore[arg-type]  # wrong on purpose


def test_clock_agrees_with_a_real_frame() -> None:
    """A frame of 17 December 2015: UTSTART 13:25:23, UTMJD 57373.5592960, STSTART 05:05:05."""
    start = datetime(2015, 12, 17, 13, 25, 23, tzinfo=UTC)
    assert modified_julian_date(start) == pytest.approx(57373.5592960397, abs=1e-5)
    sidereal_seconds = sidereal_degrees(start) * 240.0
    assert sidereal_seconds == pytest.approx(5 * 3600 + 5 * 60 + 5, abs=2.0)
