"""The benchmarks themselves: small runs, whose figures are printed and checked only for being there."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner

from paws.bench.fidelity import GOALS
from paws.commands.bench import bench

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_fidelity_gives_every_figure(tmp_path):
    result = CliRunner().invoke(
        bench, ["fidelity", "--gratings", "580V,385R", "--work", str(tmp_path), "--json"], catch_exceptions=False
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    arms = json.loads(result.output)
    assert [arm["grating"] for arm in arms] == ["580V", "385R"]
    for arm in arms:
        print(arm)
        assert {goal.name for goal in GOALS} == set(arm["figures"])
        assert all(math.isfinite(value) for value in arm["figures"].values())


def test_conditions_are_measured_and_refusals_told(tmp_path):
    result = CliRunner().invoke(
        bench,
        [
            "fidelity",
            "--gratings",
            "580V,385R",
            "--exposures",
            "1",
            "--conditions",
            "red-only,mistyped",
            "--json",
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    fields = json.loads(result.output)
    assert [(f["condition"], f["grating"]) for f in fields] == [
        ("red-only", "385R"), ("mistyped", "580V"), ("mistyped", "385R"),
    ]  # fmt: skip
    for field in fields:
        print(field)
        assert "failed" not in field
        assert field["figures"]["pull_std"] is not None


def test_speed_times_every_verb(tmp_path):
    result = CliRunner().invoke(
        bench, ["speed", "--exposures", "4", "--work", str(tmp_path), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    print(report)
    assert {"make_tlm", "reduce_arc", "reduce_fflat", "reduce_object", "combine_spectra"} <= set(
        report["verbs"]
    )
    assert all(0 < seconds < 600 for seconds in report["verbs"].values())
    assert report["run"]["exposures"] == 4
    assert 1e8 < report["run"]["peak"] < 4e9
