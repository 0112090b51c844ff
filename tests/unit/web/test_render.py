from __future__ import annotations

import pytest

from web.pages.render import compact, role


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456789, "0.12346"),
        ([1, 2.5], "1, 2.5"),
        ([1.0, None, 3.0, float("nan"), 2.0, None, 5.0, 4.0, None], "median 3, 1 to 5 (5)"),
        ([None] * 9, "9 values"),
        ("words", "words"),
    ],
)
def test_compact(value, text):
    assert compact(value) == text


def test_roles_have_names():
    assert [role(name) for name in ("tlm", "bias", "surprise")] == ["tramline map", "bias", "surprise"]
