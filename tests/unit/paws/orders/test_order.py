from __future__ import annotations

from datetime import UTC, datetime

import pytest

from paws.accounts.audit import Actor
from paws.errors import InvalidInputError
from paws.orders.order import (
    MOST_FRAMES,
    FrameNow,
    Order,
    OrderKind,
    check_parameters,
    check_reason,
    effects,
    order_id,
    read_parameters,
)

AT = datetime(2026, 3, 12, 12, tzinfo=UTC)
NIGHT = "20260312"
MIA = Actor("mia", "192.0.2.7")


def order(kind: str, reason: str = "clouds", parameters=None, frames=("a",), night: str = NIGHT) -> Order:
    return Order("x", night, OrderKind(kind), tuple(frames), reason, MIA, AT, parameters)


GOOD = FrameNow("a", NIGHT, "12mar10011.fits", False, "")
JUNKED = FrameNow("a", NIGHT, "12mar10011.fits", True, "clouds")
TUNED = FrameNow("a", NIGHT, "12mar10011.fits", False, "", (("SKYSUB", "0"),))


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
        (order("reduce", parameters={"skysub": "0"}), GOOD, "set", "SKYSUB 0"),
        (order("reduce", parameters={"SKYSUB": "0"}), TUNED, "repeat", "already"),
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


def test_parameters_as_people_type_them():
    text = "SKYSUB 0\n-tpmeth SKYFLUX(MED)\n\nPCANUM=6\nSHIFTTLM -0.5\n"
    assert read_parameters(text) == {
        "SKYSUB": "0",
        "TPMETH": "SKYFLUX(MED)",
        "PCANUM": "6",
        "SHIFTTLM": "-0.5",
    }
    assert read_parameters(" \n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "SKYSUB",
        "SKYSUB 0\nskysub 1",
        "; rm -rf /",
        "TLMAP_FILENAME /etc/passwd",
        "OUT_DIRNAME ../..",
        "OUTPUT_FILE x",
        "SKYSUB -WDIR",
        "SKYSUB a\x00b",
        "SKYSUB " + "1" * 201,
        "TPMETH naïve",
        "\n".join(f"P{n} 1" for n in range(41)),
        "X" * 65 + " 1",
    ],
)
def test_hostile_parameters_are_refused(text):
    with pytest.raises(InvalidInputError):
        read_parameters(text)


def test_names_are_checked_whoever_read_them():
    with pytest.raises(InvalidInputError):
        check_parameters({"SKY SUB": 1})
    with pytest.raises(InvalidInputError):
        check_parameters({"idxfile": "x"})


def test_an_order_of_somebody_else_is_another():
    assert order_id(MIA, "once") == order_id(Actor("mia", "192.0.2.9"), "once")
    assert order_id(MIA, "once") != order_id(Actor("lea"), "once")
    assert order_id(MIA, "once") != order_id(MIA, "twice")
