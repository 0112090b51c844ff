"""`paws status`: what is told of a night, on a terminal and to programs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from paws.commands.status import status
from tests.web.conftest import Site


@pytest.fixture
def told(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PAWS_DATABASE_URL", site.settings.require_database())
    monkeypatch.setenv("PAWS_DATA_DIR", str(site.settings.data_dir))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> str:
        found = CliRunner().invoke(status, arguments)
        assert found.exit_code == 0, found.output
        return found.output

    return run


def test_reasons_have_the_width_of_the_terminal(told):
    lines = told().splitlines()
    assert max(map(len, lines)) <= 80
    heading = next(line for line in lines if line.startswith("Frame "))
    unlike = [frame for frame in json.loads(told("--json"))["frames"] if frame["state"] == "failed"]
    assert unlike
    for frame in unlike:
        # Frame and state stand in their columns, the reason below.
        i = next(i for i, line in enumerate(lines) if line.startswith(frame["name"]))
        assert lines[i][heading.index("State") :].startswith("failed")
        below = lines[i + 1].strip()
        assert below
        assert frame["reason"].startswith(below)


def test_rejected_files_are_told_with_their_reasons(told):
    document = json.loads(told("--json"))
    (file,) = document["rejected"]
    assert document["night"]["rejected"] == 1
    lines = told().splitlines()
    at = lines.index(f"rejected: {file['path']}")
    assert lines[at + 1].strip()
    assert file["reason"].startswith(lines[at + 1].strip())


def test_a_night_of_which_there_is_nothing(told):
    assert "0 frames" in told("--night", "19990101")
