"""Which frames are compared."""

from __future__ import annotations

import pytest

from agents.compare.main import find_run
from agents.compare.selection import Selection
from agents.compare.sides import parse_sources
from paws.errors import InvalidInputError
from schemas.vocabulary import FrameClass
from tests.support.reductions import frame_of, write_raw


@pytest.fixture
def frames(tmp_path):
    """Two fields, the second without an arc, and a bias."""
    kinds = [
        (1, FrameClass.BIAS, ""),
        (2, FrameClass.MFFFF, "one"),
        (3, FrameClass.MFARC, "one"),
        (4, FrameClass.MFOBJECT, "one"),
        (5, FrameClass.MFOBJECT, "one"),
        (6, FrameClass.MFFFF, "two"),
        (7, FrameClass.MFOBJECT, "two"),
    ]
    return [
        frame_of(write_raw(tmp_path, run), kind).model_copy(
            update={"field": field, "configuration": f"{field}_p1.sds", "plate": 1 if field else None}
        )
        for run, kind, field in kinds
    ]


def runs(frames):
    return [frame.run for frame in frames]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), [1, 2, 3, 4, 5, 6, 7]),
        (Selection(nights=frozenset({"20260312"})), [1, 2, 3, 4, 5, 6, 7]),
        (Selection(fields=frozenset({"one"})), [1, 2, 3, 4, 5]),
        (Selection(names=frozenset({"12mar20004"})), [1, 2, 3, 4]),
        (Selection(names=frozenset({"12mar20005.fits"})), [1, 2, 3, 5]),
        # It has no arc of its own, so all arcs come.
        (Selection(fields=frozenset({"two"})), [1, 3, 6, 7]),
        (Selection(fields=frozenset({"one", "two"})), [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_selection(frames, selection, expected):
    assert runs(selection(frames)) == expected


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(nights=frozenset({"20260101"})), "no night '20260101'"),
        (Selection(fields=frozenset({"three"})), "no field 'three' among the frames. There are: one, two"),
        (Selection(names=frozenset({"12mar20001"})), "no science frame"),
        (Selection(fields=frozenset({"two"}), names=frozenset({"12mar20004"})), "Leave one of them out"),
    ],
)
def test_a_selection_of_nothing_is_refused(frames, selection, said):
    with pytest.raises(InvalidInputError, match=said):
        selection(frames)


@pytest.mark.parametrize(
    "text", ["builtin", "builtin,builtin", "a,b,c", "builtin,", "builtin,../x", "a;b,c", ""]
)
def test_engines_that_are_not_two(text):
    with pytest.raises(InvalidInputError):
        parse_sources(text)


def test_engines_by_name():
    assert [source.name for source in parse_sources("2dfdr-7.2, 2dfdr-8.0")] == ["2dfdr-7.2", "2dfdr-8.0"]


def test_a_run_is_a_folder_or_a_night(tmp_path):
    (tmp_path / "raw" / "260312").mkdir(parents=True)
    raw = tmp_path / "raw"
    assert find_run(str(raw), ()) == (raw, Selection())
    night = Selection(nights=frozenset({"20260312"}))
    assert find_run("20260312", (raw,)) == (raw / "260312", night)
    assert find_run("20260313", (raw,)) == (raw, Selection(nights=frozenset({"20260313"})))
    with pytest.raises(InvalidInputError, match="Name a folder"):
        find_run("20260312", ())
