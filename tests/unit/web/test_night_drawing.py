"""Places in the pictures of a night, and ages in words."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from paws.nightwatch.growth import Goal, growth
from paws.nightwatch.spectra import Aligned
from paws.nightwatch.sun import darkness_of
from web.night.drawing import PLOT_HEIGHT, PLOT_WIDTH, WIDTH, draw_growth, draw_signal, draw_timeline
from web.night.fields import ArmView
from web.night.matrix import age_words

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
SKY = darkness_of("20260312", 149.0661, -31.2754)
GOAL = Goal(3.0, 20.0)


def row(run: int, mjd: float, seconds: float = 600.0, arm: str = "blue", field: str = "F1") -> dict:
    return {
        "frame_id": f"f{run}{arm}", "run": run, "arm": arm, "frame_class": "MFOBJECT", "field": field,
        "utmjd": mjd, "exposed": seconds, "state": "reduced",
    }  # fmt: skip


def test_exposures_stand_in_their_lanes_at_their_times():
    drawn = draw_timeline([row(1, 61111.40), row(1, 61111.40, arm="red"), row(2, 61111.45)], SKY, NOW)
    blue, red, later = drawn.frames
    assert blue.x == red.x < later.x
    assert blue.y < red.y
    assert later.width == pytest.approx(600 / (12 * 3600) * WIDTH, rel=0.15)
    assert [box.kind for box in drawn.sky] == ["day", "civil", "nautical", "astronomical", "dark"]
    assert blue.x < drawn.now < WIDTH
    assert len(drawn.hours) == len(drawn.places)
    assert drawn.lost > 30


def test_a_header_with_a_wrong_date_does_not_stretch_the_picture():
    drawn = draw_timeline([row(1, 61111.40), row(2, 51544.0), row(3, 99999.0)], SKY, NOW)
    assert [box.link for box in drawn.frames] == ["f1blue"]
    assert all(0 <= box.x <= WIDTH and box.x + box.width <= WIDTH + 3 for box in drawn.fields)
    assert len(drawn.hours) < 40


def test_nothing_known_is_nothing_drawn():
    assert draw_timeline([], (), NOW) is None
    assert draw_timeline([], SKY, NOW).frames == ()


def arm(name: str, *speeds: float) -> ArmView:
    random = np.random.default_rng(2)
    magnitude = random.uniform(18, 20.8, 100)
    snr = np.array([10 ** (-0.3 * (magnitude - 20)) * speed**0.5 for speed in speeds])
    table = Aligned(np.full(len(speeds), 1200.0), magnitude, snr, snr)
    total = np.sqrt((snr**2).sum(axis=0))
    return ArmView(name, "580V", (), growth(table, GOAL), magnitude, total, 0)


def test_every_target_is_a_dot_within_the_picture():
    drawn = draw_signal([arm("blue", 1, 1), arm("red", 2)], GOAL)
    assert [dots.count for dots in drawn.dots] == [100, 100]
    places = [
        float(part) for dots in drawn.dots for part in dots.path.replace("h0", "").replace("M", " ").split()
    ]
    assert min(places) >= 0
    assert max(places[::2]) <= PLOT_WIDTH
    assert max(places[1::2]) <= PLOT_HEIGHT
    assert drawn.goal is not None
    assert drawn.limit is not None
    assert draw_signal([], GOAL) is None


def test_growth_is_measured_then_predicted_up_to_the_goal():
    drawn = draw_growth([arm("blue", 1, 1), arm("red", 20, 20)], GOAL)
    kinds = {(name, kind) for name, kind, _path in drawn.lines}
    assert kinds == {("blue", "measured"), ("blue", "predicted"), ("red", "measured")}, "red has reached it"
    predicted = next(path for name, kind, path in drawn.lines if kind == "predicted")
    last = float(predicted.rsplit(" ", 1)[1])
    assert last <= drawn.goal + 1, "it goes on to the goal (up is down)"
    assert draw_growth([arm("blue", 1)], None) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (99, "99 s"), (600, "10 min"), (7200, "2 h"), (4 * 86400, "4 d")]
)
def test_ages(seconds, words):
    assert age_words(seconds) == words
