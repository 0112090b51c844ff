"""Reference pages that are made from the code must say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from paws.commands.contracts import reference_page as events_page
from paws.commands.reference import reference_page as commands_page
from paws.commands.settings import reference_page as settings_page
from paws.requests.reference import reference_page as parameters_page
from paws.vo.declared.reference import reference_page as tables_page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("settings.md", settings_page),
        ("events.md", events_page),
        ("commands.md", commands_page),
        ("parameters.md", parameters_page),
        ("vo-tables.md", tables_page),
    ],
)
def test_page_is_true(name, make, update_golden):
    if update_golden:
        (REFERENCE / name).write_text(make())
    assert (REFERENCE / name).read_text() == make(), f"docs/reference/{name}: run pytest --update-golden"
