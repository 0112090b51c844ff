from __future__ import annotations

import pytest

from paws.errors import ConfigurationError
from paws.nightwatch.judge import MEANINGS, warnings, written
from paws.nightwatch.thresholds import Threshold, history, in_force, load, read, shipped
from schemas.vocabulary import Arm


def threshold(figure="drift", since="20200101", side="away", limit=0.5, **more) -> Threshold:
    return Threshold(figure=figure, since=since, side=side, limit=limit, source="a test", **more)


def test_what_is_shipped_is_known_and_says_where_it_comes_from():
    found = shipped()
    assert {item.figure for item in found} == set(MEANINGS)
    assert all(len(item.source) > 20 and not item.own for item in found)
    assert all(meaning.action.endswith(".") for meaning in MEANINGS.values())
    for item in found:
        assert item.severe is None or item.passed_by(item.severe * (0.99 if item.side == "below" else 1.01))


@pytest.mark.parametrize(
    ("night", "arm", "grating", "limit"),
    [
        ("20210101", "blue", "580V", 0.5),
        ("20260301", "blue", "580V", 0.4),
        ("20260301", "red", "385R", 0.9),
        ("20210101", "red", "385R", 0.5),
        ("20260301", "blue", "1700B", 0.2),
        ("20260401", "blue", "580V", 0.3),
    ],
)
def test_the_newest_that_fits_best_counts(night, arm, grating, limit):
    known = [
        threshold(limit=0.5),
        threshold(limit=0.4, since="20260301"),
        threshold(limit=0.9, since="20260201", arm=Arm.RED),
        threshold(limit=0.2, since="20260101", grating="1700B"),
        threshold(limit=0.35, since="20260401"),
        threshold(limit=0.3, since="20260401", own=True),
    ]
    for order in (known, known[::-1]):
        assert in_force(order, night, arm, grating)["drift"].limit == limit
    assert in_force(known, "20191231", arm, grating) == {}


def test_warnings_say_what_was_measured_and_what_to_do():
    known = {item.figure: item for item in shipped()}
    found = warnings(
        {"drift": -0.8, "light": 0.2, "arc_rms_pixels": 0.02, "arc_lines": None, "unheard_of": 9.0}, known
    )
    assert [item.figure for item in found] == ["light", "drift"], "the urgent first"
    assert found[0].severe
    assert not found[1].severe
    assert (
        found[1].reason
        == "shift of the fibres since the flat is -0.80 pixel, farther from zero than 0.5 pixel"
    )
    assert "fibre flat" in found[1].action
    assert warnings({"drift": 0.8}, {}) == []


@pytest.mark.parametrize(
    ("side", "good", "bad"), [("above", 0.5, 0.51), ("below", 0.5, 0.49), ("away", -0.5, -0.51)]
)
def test_sides(side, good, bad):
    item = threshold(side=side)
    assert not item.passed_by(good)
    assert item.passed_by(bad)


def test_a_sites_own_file(tmp_path):
    path = tmp_path / "own.toml"
    entry = 'version = 1\n[[threshold]]\nfigure = "drift"\nfrom = "20260101"\nside = "away"\nlimit = 0.8\nsource = "us"\n'
    path.write_text(entry)
    found = load(path)
    assert in_force(found, "20260312", "blue", "580V")["drift"].limit == 0.8
    assert in_force(found, "20251231", "blue", "580V")["drift"].limit == 0.5
    assert [item.own for item in history(found) if item.figure == "drift"] == [True, False]
    assert load(None) == shipped()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 2\nthreshold = []", "version"),
        ("not toml", "no TOML"),
        ('version = 1\n[[threshold]]\nfigure = "drift"', "from"),
        (
            'version = 1\n[[threshold]]\nfigure="drift"\nfrom="20261301"\nside="above"\nlimit=1\nsource="x"',
            "no night",
        ),
        (
            'version = 1\n[[threshold]]\nfigure="drift"\nfrom="20260101"\nside="above"\nlimit=nan\nsource="x"',
            "limit",
        ),
        (
            'version = 1\n[[threshold]]\nfigure="drift"\nfrom="20260101"\nside="above"\nlimit=1\nsource="x"\nz=1',
            "z",
        ),
    ],
)
def test_a_file_that_is_wrong_is_told_where(tmp_path, text, said):
    with pytest.raises(ConfigurationError, match=said):
        read(text, "own.toml", own=True)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="PAWS_THRESHOLDS"):
        load(tmp_path / "nowhere.toml")


def test_figures_for_people():
    assert written("drift", 0.123) == "0.12"
    assert written("arc_lines", 41.0) == "41"
    assert written("drift", None) == ""
