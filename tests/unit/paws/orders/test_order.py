from __future__ import annotations

from datetime import UTC, datetime

import pytest

from paws.accounts.audit import Actor
from paws.errors import InvalidInputError
from paws.orders.order import (
    KINDS_OF_CLASS,
    MOST_FRAMES,
    FrameNow,
    Order,
    OrderKind,
    check_parameters,
    check_reason,
    effects,
    offered,
    order_id,
)
from schemas.vocabulary import FrameClass

AT = datetime(2026, 3, 12, 12, tzinfo=UTC)
NIGHT = "20260312"
MIA = Actor("mia", "192.0.2.7")


def order(kind: str, reason: str = "clouds", parameters=None, frames=("a",), night: str = NIGHT) -> Order:
    return Order("x", night, OrderKind(kind), tuple(frames), reason, MIA, AT, parameters)


GOOD = FrameNow("a", NIGHT, "12mar10011.fits", False, "")
JUNKED = FrameNow("a", NIGHT, "12mar10011.fits", True, "clouds")
TUNED = FrameNow("a", NIGHT, "12mar10011.fits", False, "", (("SKYSUB", False),))


@pytest.mark.parametrize(
    ("ordered", "frame", "action", "words"),
    [
        (order("junk"), GOOD, "mark", "junked"),
        (order("junk"), JUNKED, "nothing", "already"),
        (order("junk", "a satellite"), JUNKED, "mark", "another reason"),
        (order("unjunk"), JUNKED, "mark", "good again"),
        (order("unjunk"), GOOD, "nothing", "was not junked"),
        (order("reduce"), GOOD, "repeat", "asked for again"),
        (order("reduce"), JUNKED, "nothing", "take that back first"),
        (order("reduce", parameters={"skysub": False}), GOOD, "set", "SKYSUB no"),
        (order("reduce", parameters={"SKYSUB": False}), TUNED, "repeat", "already"),
        (order("reduce", parameters={}), TUNED, "set", "usual parameters"),
        (order("reduce", parameters={}), GOOD, "repeat", "already"),
    ],
)
def test_what_an_order_comes_to(ordered, frame, action, words):
    (effect,) = effects(ordered, [frame])
    assert effect.action == action
    assert words in effect.words


@pytest.mark.parametrize(
    ("ordered", "frames"),
    [
        (order("junk", frames=()), []),
        (order("junk"), []),
        (order("junk", night="20260313"), [GOOD]),
        (order("junk", frames=("a", "b")), [GOOD]),
        (order("junk", frames=[str(n) for n in range(MOST_FRAMES + 1)]), []),
    ],
)
def test_orders_that_are_refused(ordered, frames):
    with pytest.raises(InvalidInputError):
        effects(ordered, frames)


def test_a_reason_is_one_line_that_can_be_shown():
    assert check_reason("  thin \n cloud <b> ") == "thin cloud <b>"
    for text in ("", " \n ", "x" * 501, "a\x1b[31m", "left \u202e right"):
        with pytest.raises(InvalidInputError):
            check_reason(text)


def checked(given, *classes, builtin=True):
    return check_parameters(given, classes or (FrameClass.MFOBJECT,), ("580V",), builtin=builtin)


def test_parameters_are_kept_as_one_form_whoever_wrote_them():
    assert checked({"skysub": "no", " PCANUM ": "8", "TPMETH": ""}) == {"SKYSUB": False, "PCANUM": 8}
    assert checked({"SKYSUB": "1"}) == {}, "the default is no change"
    assert checked({"SKYSUB": "1"}, builtin=False) == {"SKYSUB": True}


@pytest.mark.parametrize(
    "given",
    [
        {"SKYSUB": "perhaps"},
        {"SKYSUB": "0", "skysub": "1"},
        {"; rm -rf /": "1"},
        {"TLMAP_FILENAME": "/etc/passwd"},
        {"OUT_DIRNAME": "../.."},
        {"TPMETH": "-WDIR /"},
        {"TPMETH": "a\x00b"},
        {"PCANUM": "1" * 300},
        {"PCANUM": "nan"},
        {"CSIGREJ": "4"},
        {"ARCFITORDER": "3"},
        {f"P{n}": "1" for n in range(60)},
    ],
)
def test_hostile_and_foreign_parameters_are_refused(given):
    with pytest.raises(InvalidInputError):
        checked(given)


def test_what_is_offered_concerns_the_frames():
    names = {parameter.name for parameter in offered([FrameClass.MFARC])}
    assert "ARCFITORDER" in names
    assert not names & {"SKYSUB", "CSIGREJ"}
    assert all(KINDS_OF_CLASS[one] for one in FrameClass)


def test_an_order_of_somebody_else_is_another():
    assert order_id(MIA, "once") == order_id(Actor("mia", "192.0.2.9"), "once")
    assert order_id(MIA, "once") != order_id(Actor("lea"), "once")
    assert order_id(MIA, "once") != order_id(MIA, "twice")
