"""The table of parameters: what it takes, what it refuses, and that the built-in reducer knows every word of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quicklook.parameters import BY_NAME as OF_QUICKLOOK
from quicklook.parameters import GRATING_DEFAULTS
from schemas.parameters import (
    BY_NAME,
    PARAMETERS,
    ParameterError,
    by_kind,
    default_words,
    read_values,
)
from schemas.vocabulary import ReductionKind


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda one: one.name)
def test_built_in_reducer_means_the_same(parameter):
    theirs = OF_QUICKLOOK[parameter.name]
    assert parameter.kind == theirs.kind
    assert parameter.default == theirs.default
    assert set(parameter.choices) <= set(theirs.choices)
    for choice in parameter.choices:
        assert theirs.read(choice) == choice
    if parameter.kind in ("integer", "real"):
        assert (parameter.low, parameter.high) == (theirs.low, theirs.high)
    for grating, values in GRATING_DEFAULTS.items():
        if parameter.name in values:
            assert parameter.default_for(grating) == values[parameter.name]
    assert {grating for grating, _value in parameter.by_grating} == {
        grating for grating, values in GRATING_DEFAULTS.items() if parameter.name in values
    }
    assert parameter.concerns


@pytest.mark.parametrize(
    ("given_values", "gratings", "builtin", "expected"),
    [
        ({}, [], True, {}),
        ({"SKYSUB": "yes"}, [], True, {}),
        ({"skysub": "no"}, [], True, {"SKYSUB": False}),
        ({"SKYSUB": " "}, [], True, {}),
        ({"CSIGREJ": "5.0"}, [], True, {}),
        ({"CSIGREJ": 5}, [], True, {}),
        ({"CSIGREJ": "5.0"}, [], False, {"CSIGREJ": 5.0}),
        ({"PCANUM": "7"}, [], True, {"PCANUM": 7}),
        ({"tpmeth": "offsky"}, [], True, {"TPMETH": "OFFSKY"}),
        ({"SKYSCRUNCH": "1"}, ["580V"], True, {}),
        ({"SKYSCRUNCH": "1"}, ["1700B"], True, {"SKYSCRUNCH": True}),
        ({"SKYSCRUNCH": "0"}, ["1700B"], True, {}),
        ({"SKYSCRUNCH": "0"}, ["1700B", "385R"], True, {"SKYSCRUNCH": False}),
        ({"WAVE_START": 400, "WAVE_END": 700}, [], True, {"WAVE_END": 700.0, "WAVE_START": 400.0}),
    ],
)
def test_same_wish_has_the_same_form(given_values, gratings, builtin, expected):
    found = read_values(given_values, gratings, builtin=builtin)
    assert found == expected
    assert list(found) == sorted(found)
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in expected.items()
    }


def test_what_the_site_sets_is_the_default_then():
    site = {"skysub": False}
    assert read_values({"SKYSUB": "1"}, site=site) == {"SKYSUB": True}
    assert read_values({"SKYSUB": "0"}, site=site) == {}
    assert read_values({"SKYSUB": "0"}, builtin=False, site=site) == {}


@pytest.mark.parametrize(
    ("given_values", "told"),
    [
        ({"IDXFILE": "/etc/passwd"}, "no such parameter"),
        ({"TLMAP_FILENAME": "x"}, "no such parameter"),
        ({"-SKYSUB": "0"}, "no such parameter"),
        ({"SKYSUB": "2"}, "yes or no"),
        ({"SKYSUB": None}, "one value"),
        ({"SKYSUB": [True]}, "one value"),
        ({"TPMETH": "OFFSKY -WDIR /"}, "one of"),
        ({"PCANUM": "1.5"}, "whole number"),
        ({"PCANUM": "0"}, "from 1 to 100"),
        ({"CSIGREJ": math.nan}, "from 0 to 100"),
        ({"CSIGREJ": math.inf}, "from 0 to 100"),
        ({"CSIGREJ": "5\n-WDIR /"}, "printable"),
        ({"CSIGREJ": "x" * 61}, "at most 60"),
        ({"WAVE_START": "700", "WAVE_END": "400"}, "beyond WAVE_START"),
        ({"SKYSUB": "1", "skysub": "0"}, "more than once"),
        ({str(number): "1" for number in range(100)}, "only"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(given_values, told):
    with pytest.raises(ParameterError, match=told):
        read_values(given_values)


def test_choices_of_the_built_in_reducer_are_not_for_others():
    with pytest.raises(ParameterError, match="built-in"):
        read_values({"TPMETH": "LAMP"}, builtin=False)


@given(
    st.dictionaries(
        st.text(max_size=20), st.one_of(st.text(max_size=80), st.floats(), st.integers(), st.booleans())
    )
)
def test_nothing_but_the_table_ever_passes(values):
    try:
        found = read_values(values)
    except ParameterError:
        return
    for name, value in found.items():
        assert BY_NAME[name].read(value) == value


def test_parameter_reaches_the_kinds_that_it_concerns_alone():
    kinds = dict(by_kind({"SKYSUB": False, "EXTR_OPERATION": "SUM"}))
    assert kinds[ReductionKind.REDUCE_ARC] == (("EXTR_OPERATION", "SUM"),)
    assert kinds[ReductionKind.REDUCE_OBJECT] == (("EXTR_OPERATION", "SUM"), ("SKYSUB", False))
    assert ReductionKind.MAKE_TLM not in kinds
    assert by_kind({}) == ()


def test_defaults_are_told_by_grating_where_they_differ():
    assert default_words(BY_NAME["SKYSCRUNCH"], ["580V", "385R"]) == "yes"
    assert default_words(BY_NAME["SKYSCRUNCH"], ["385R", "1700B"]) == "no (1700B), yes (385R)"
    assert default_words(BY_NAME["CSIGREJ"], []) == "5"
