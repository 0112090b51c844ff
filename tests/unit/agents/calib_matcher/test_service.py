"""The matcher over several nights."""

from __future__ import annotations

from datetime import timedelta

from agents.calib_matcher.service import Matcher
from paws.matching.items import Item
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import Sighting
from tests.support.nights import EVENING, LAST_NOON, make_night


def test_each_night_is_asked_of_its_own_engine() -> None:
    matcher = Matcher(MatchPolicy(engine="old", engine_version="1", engines=(("20260313", "mid", "2"),)))
    for night in ("20260312", "20260313"):
        matcher.restore(
            Item(night, frame.frame_id, Sighting(frame, EVENING))
            for frame in make_night(fields=1, exposures=1, biases=0, night=night)
        )
    for night, engine in (("20260312", "old"), ("20260313", "mid")):
        asked = matcher.plan(night, LAST_NOON + timedelta(days=3)).ready
        assert asked
        assert {reduction.engine for reduction in asked} == {engine}
