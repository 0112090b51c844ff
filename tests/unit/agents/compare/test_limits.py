"""Limits: which are exceeded, and how they are read."""

from __future__ import annotations

import pytest

from agents.compare.figures import Pair
from agents.compare.limits import Limits, LimitSet, breaches, breaches_of_whole, read_limits
from paws.errors import InvalidInputError
from schemas.vocabulary import ProductKind

PAIR = Pair(
    ProductKind.OBJECT,
    "p0/x.fits",
    figures={
        "flux_ratio": 0.97,
        "flux_ratio_most": 0.08,
        "shift": -0.2,
        "shift_most": 0.4,
        "noise_ratio": 1.1,
        "sn_ratio": 0.9,
        "lost_fibres": 2.0,
    },
)


@pytest.mark.parametrize(
    ("name", "within", "exceeded"),
    [
        ("max_flux_ratio", 0.031, 0.029),
        ("max_fibre_flux_ratio", 0.08, 0.07),
        ("max_shift", 0.2, 0.19),
        ("max_fibre_shift", 0.4, 0.3),
        ("max_noise_ratio", 1.1, 1.05),
        ("min_sn_ratio", 0.9, 0.95),
        ("max_lost_fibres", 2, 1),
    ],
)
def test_each_limit(name, within, exceeded):
    assert breaches([PAIR], LimitSet(limits=Limits(**{name: within}))) == []
    (breach,) = breaches([PAIR], LimitSet(limits=Limits(**{name: exceeded})))
    assert (breach.path, breach.limit, breach.allowed) == (PAIR.path, name, exceeded)
    assert name in breach.sentence


def test_what_could_not_be_measured_exceeds_nothing():
    blind = Pair(ProductKind.BIAS, "b.fits", figures={"noise_ratio": 1.0, "lost_fibres": 0.0})
    assert (
        breaches([blind], LimitSet(limits=Limits(max_shift=0.0, max_flux_ratio=0.0, min_sn_ratio=1.0))) == []
    )


def test_limits_of_a_kind_complete_the_general_ones():
    limits = LimitSet(
        limits=Limits(max_shift=0.1, max_lost_fibres=0),
        kinds={ProductKind.OBJECT: Limits(max_shift=0.5)},
    )
    assert limits.of(ProductKind.OBJECT) == Limits(max_shift=0.5, max_lost_fibres=0)
    assert [item.limit for item in breaches([PAIR], limits)] == ["max_lost_fibres"]


@pytest.mark.parametrize(
    ("failures", "seconds", "expected"),
    [
        (0, (10.0, 20.0), []),
        (1, (10.0, 20.0), ["max_failures"]),
        (0, (10.0, 21.0), ["max_time_ratio"]),
        (0, (0.0, 21.0), []),
    ],
)
def test_limits_of_the_whole(failures, seconds, expected):
    found = breaches_of_whole(LimitSet(max_failures=0, max_time_ratio=2.0), failures, seconds)
    assert [item.limit for item in found] == expected


def test_limits_are_read_from_toml_and_json(tmp_path):
    expected = LimitSet(
        limits=Limits(max_flux_ratio=0.02), kinds={ProductKind.TLM: Limits(max_shift=0.05)}, max_failures=0
    )
    (tmp_path / "l.toml").write_text(
        "max_failures = 0\n[limits]\nmax_flux_ratio = 0.02\n[kinds.tlm]\nmax_shift = 0.05\n"
    )
    (tmp_path / "l.json").write_text(expected.model_dump_json())
    assert read_limits(tmp_path / "l.toml") == read_limits(tmp_path / "l.json") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nmax_colour = 1\n", "limits.max_colour"),
        ("[kinds.objects]\n", "kinds"),
        ("[limits]\nmax_shift = -1\n", "limits.max_shift"),
        ("[limits\n", "cannot be read"),
    ],
)
def test_wrong_limits_say_what_is_wrong(tmp_path, text, said):
    (tmp_path / "l.toml").write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        read_limits(tmp_path / "l.toml")
