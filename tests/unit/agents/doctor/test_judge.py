"""What figures mean, as tables of cases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agents.doctor import judge
from agents.doctor.finding import State, document, error, exit_status, ok, skipped, warning
from agents.doctor.judge import GB, judge_clock, judge_disk, judge_lag, judge_migrations, judge_outbox
from paws.operations import Disk, Work

OK, WARNING, ERROR = State.OK, State.WARNING, State.ERROR


@pytest.mark.parametrize(("version", "state"), [((3, 10, 9), ERROR), ((3, 11, 0), OK), ((3, 14, 1), OK)])
def test_python(version, state):
    assert judge.judge_python(version).state is state


@pytest.mark.parametrize(
    ("name", "free", "state"),
    [("products", 4 * GB, ERROR), ("work", 40 * GB, WARNING), ("work", 90 * GB, OK), ("raw 1", 0, OK)],
)
def test_disk(name, free, state):
    assert judge_disk(name, Disk(Path("/x"), free, 200 * GB)).state is state


@pytest.mark.parametrize(("seconds", "state"), [(0.1, OK), (-1.9, OK), (2.1, ERROR), (-7200, ERROR)])
def test_clock(seconds, state):
    assert judge_clock(timedelta(seconds=seconds)).state is state


@pytest.mark.parametrize(
    ("missing", "changed", "unknown", "state", "said"),
    [
        ([], [], [], OK, ""),
        (["0001.sql"], [], [], ERROR, "paws migrate"),
        ([], ["0001.sql"], [], ERROR, "paws rebuild"),
        ([], [], ["0009.sql"], ERROR, "that version"),
    ],
)
def test_migrations(missing, changed, unknown, state, said):
    found = judge_migrations(missing, changed, unknown)
    assert found.state is state
    assert said in found.advice


def states(work):
    return {item.part: item.state for item in judge.judge_work(work)}


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (Work(), (OK, OK, OK)),
        (Work(jobs={("reduce-builtin", "todo"): 3}), (ERROR, OK, OK)),
        (Work(jobs={("reduce-builtin", "todo"): 3}, lease_ages=[0.2]), (OK, OK, OK)),
        (Work(jobs={("q", "todo"): 3}, lease_ages=[0.2], oldest_queued=1000.0), (WARNING, OK, OK)),
        (Work(jobs={("q", "doing"): 1}, lease_ages=[90.0], stale_leases=1), (OK, ERROR, OK)),
        (Work(failures={"engine_failed": 2}), (OK, OK, WARNING)),
    ],
)
def test_work(work, expected):
    found = states(work)
    assert (found["queue"], found["leases"], found["failures"]) == expected


@pytest.mark.parametrize(("waiting", "age", "state"), [(0, 0, OK), (4, 2, OK), (4, 60, ERROR)])
def test_outbox(waiting, age, state):
    assert judge_outbox(waiting, age).state is state


def test_lag_and_topics():
    assert judge_lag({"a": 3}).state is OK
    assert judge_lag({"a": 3, "b": 5000}).detail == "events not acknowledged: b 5000"
    assert judge.judge_topics([], {"a": 1}).state is OK
    assert judge.judge_topics(["b"], {"a": 1}).state is WARNING
    assert judge.judge_topics([], {"a": 3}).state is ERROR


@pytest.mark.parametrize(
    ("readable", "remote", "mode", "state"),
    [
        (False, False, "auto", ERROR),
        (True, False, "events", OK),
        (True, True, "events", ERROR),
        (True, True, "auto", OK),
        (True, True, "polling", OK),
    ],
)
def test_raw_folder(readable, remote, mode, state):
    assert judge.judge_raw_folder("raw", "/raw", readable=readable, remote=remote, mode=mode).state is state


def test_only_errors_count_and_each_says_what_to_do():
    findings = [ok("a", "x"), warning("b", "x", "do"), skipped("c", "x")]
    assert exit_status(findings) == 0
    assert exit_status([*findings, error("d", "x", "do")]) == 1
    assert document(findings)["ok"] is True
    assert document(findings)["findings"][1] == {
        "part": "b",
        "state": "warning",
        "detail": "x",
        "advice": "do",
    }
