"""A whole comparison, with engines that write small products at once; its report and its page."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from agents.compare.command import compare
from agents.compare.page import page_of
from agents.offline import main
from paws.errors import ConfigurationError
from tests.support.rawfiles import raw_frame
from tests.support.reductions import FakeEngine, output_of, write_spectra_product

FIELD = "p1/580V/s1/20260312-FLD195_v03-p1"


class Engine(FakeEngine):
    """Writes spectra of some level; may refuse a verb, and lose fibres of objects."""

    def __init__(self, name, level, refuses="", dead=()):
        super().__init__()
        self.name, self._level, self._refuses, self._dead = name, level, refuses, dead

    async def run(self, command, cwd, on_line, deadline):
        if command[0] == self._refuses:
            self.behaviour[len(self.commands) + 1] = lambda _cwd: 1
        result = await super().run(command, cwd, on_line, deadline)
        if result.exit_status == 0:
            dead = self._dead if command[0] == "reduce_object" else ()
            write_spectra_product(cwd / output_of(command), level=self._level, dead=dead)
        return result


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    kinds = {"MFFFF": {"EXPOSED": 5.0}, "MFARC": {"EXPOSED": 30.0}, "MFOBJECT": {}}
    for run, (kind, facts) in enumerate(kinds.items(), start=1):
        content = raw_frame(kind, seed=run, RUN=run, UTMJD=61111.5 + run / 100, **facts)
        (folder / f"12mar1{run:04d}.fits").write_bytes(content)
    return folder


@pytest.fixture
def engines(monkeypatch):
    made = {}
    monkeypatch.setenv("PAWS_ENGINES", json.dumps({"old": "local:aaorun-7", "new": "local:aaorun-8"}))
    monkeypatch.setattr(main, "create_engine", lambda settings: made[settings.engine])
    return made


def paws_compare(raw, out, *options):
    result = CliRunner().invoke(
        compare, [str(raw), "--out", str(out), "--json", *options], catch_exceptions=False
    )
    return result, json.loads(result.stdout) if result.stdout.startswith("{") else None


def test_two_engines_reduce_the_same_frames(raw, tmp_path, engines):
    engines.update(old=Engine("old", 100.0), new=Engine("new", 100.0))
    result, report = paws_compare(raw, tmp_path, "--engines", "old,new", "--max-failures", "0")
    assert (result.exit_code, report["exit_status"]) == (0, 0)
    assert engines["old"].commands == engines["new"].commands
    paths = {item["path"] for item in report["products"]}
    assert paths == {
        f"{FIELD}/{name}.fits" for name in ("FLAT0001tlm", "FLAT0001red", "ARC0002red", "OBJ0003red")
    }
    assert [report[side]["engine"] for side in ("a", "b")] == ["old", "new"]
    assert (report["worse"], report["only_a"], report["only_b"], report["breaches"]) == (0, [], [], [])
    assert json.loads((tmp_path / "compare.json").read_text()) == report
    assert "<title>Comparison" in (tmp_path / "compare.html").read_text()
    for side in ("old", "new"):
        assert {str(path.relative_to(tmp_path / side)) for path in (tmp_path / side).rglob("*.fits")} == paths


def test_a_failure_of_b_alone_counts(raw, tmp_path, engines):
    engines.update(old=Engine("old", 100.0), new=Engine("new", 100.0, refuses="reduce_object"))
    result, report = paws_compare(raw, tmp_path, "--engines", "old,new", "--max-failures", "0")
    assert result.exit_code == 3
    assert report["only_a"] == [f"{FIELD}/OBJ0003red.fits"]
    assert [item["kind"] for item in report["b"]["failures"]] == ["reduce_object"]
    assert [item["limit"] for item in report["breaches"]] == ["max_failures"]
    # A that fails where B does not is no fault of B.
    engines.update(old=engines["new"], new=Engine("new", 100.0))
    result, report = paws_compare(raw, tmp_path / "b", "--engines", "old,new", "--max-failures", "0")
    assert (result.exit_code, report["only_b"]) == (0, [f"{FIELD}/OBJ0003red.fits"])


def test_earlier_products_stand_for_an_engine(raw, tmp_path, engines):
    engines["builtin"] = Engine("builtin", 100.0)
    engines["old"] = Engine("old", 100.0)
    paws_compare(raw, tmp_path / "one", "--engines", "old,builtin")
    engines["builtin"] = Engine("builtin", 100.0)
    before = f"{tmp_path}/one/builtin,builtin"
    result, report = paws_compare(raw, tmp_path / "two", "--engines", before)
    assert result.exit_code == 0
    assert report["a"]["engine"] == "builtin (earlier)"
    assert len(report["products"]) == 4


def test_nothing_in_common_is_no_success(raw, tmp_path, engines):
    engines.update(old=Engine("old", 100.0), new=Engine("new", 100.0, refuses="make_tlm"))
    result, report = paws_compare(raw, tmp_path, "--engines", "old,new")
    assert (result.exit_code, report["products"]) == (1, [])


def test_an_unknown_engine_is_refused_before_anything_is_reduced(raw, tmp_path, engines):
    engines["old"] = Engine("old", 100.0)
    with pytest.raises(ConfigurationError, match="No engine is named 'newest'"):
        paws_compare(raw, tmp_path, "--engines", "old,newest")
    assert engines["old"].commands == []


def test_wrong_options_are_told(raw, tmp_path, engines):
    result, _ = paws_compare(raw, tmp_path, "--engines", "old,new", "--max-shift", "-1")
    assert result.exit_code == 2
    assert "--max-shift" in result.output


def test_a_page_runs_nothing_that_a_header_holds():
    hostile = "</script><script>alert(1)</script>&<!--\u2028"
    page = page_of({"products": [{"path": hostile}]})
    assert "alert" in page
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<!--" not in page
    (data,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["products"][0]["path"] == hostile
    assert not re.search(r"""(src|href)\s*=|https?://(?!www\.w3\.org/2000/svg)""", page)
