from __future__ import annotations

import pytest

from agents.reducer.engines.docker.ending import Wear, fault, interrupted, worn
from agents.reducer.engines.docker.script import Report, parse_report, probe, wrapped

WEAR = Wear(commands=10, growth=100 << 20)
MEMORY = 4096 << 20


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("paws: status=0 oom=0 held=1234 left=0\n", Report(0, 0, 1234, 0)),
        ("sh: a message\npaws: status=139 oom=2 held=0 left=1\n", Report(139, 2, 0, 1)),
        ("paws: status=0 oom=0 held=1 left=0\npaws: status=1 oom=0 held=2 left=0\n", Report(1, 0, 2, 0)),
        ("paws: status=0 oom=0 held=1234", None),
        ("", None),
    ],
)
def test_the_script_s_report_is_read(text, report):
    assert parse_report(text) == report


def test_a_command_s_words_stay_what_they_are():
    command = wrapped(["combine_spectra", "a.fits b.fits", "-COMBINEDFILE", "$(reboot).fits"])
    assert command[3:] == [
        "paws",
        "aaorun",
        "combine_spectra",
        "a.fits b.fits",
        "-COMBINEDFILE",
        "$(reboot).fits",
    ]
    assert "reboot" not in command[2]
    assert probe("t")[3:] == ["paws", "t"]


@pytest.mark.parametrize(
    ("report", "commands", "words"),
    [
        (Report(0, 0, 20 << 20, 0), 3, None),
        (Report(1, 0, 0, 0), 3, "status 1"),
        (Report(0, 1, 0, 0), 3, "out of memory"),
        (Report(0, 0, 0, 2), 3, "could not be ended"),
        (Report(0, 0, 111 << 20, 0), 3, "101 MB more"),
        (Report(0, 0, 110 << 20, 0), 3, None),
        (Report(0, 0, 0, 0), 10, "10 commands"),
    ],
)
def test_a_container_is_replaced_when_it_is_worn(report, commands, words):
    reason = worn(report, commands, 10 << 20, WEAR)
    assert (reason is None) == (words is None)
    assert (words or "") in (reason or "")


@pytest.mark.parametrize(
    ("report", "code", "words"),
    [
        (Report(0, 0, 0, 0), None, ""),
        (Report(1, 0, 0, 0), None, ""),
        (Report(255, 0, 0, 0), None, ""),
        (Report(0, 1, 0, 0), None, ""),  # a child's death that the command took well
        (Report(1, 1, 0, 0), "engine_out_of_memory", "4096 MB"),
        (Report(137, 1, 0, 0), "engine_out_of_memory", "PAWS_DOCKER_MEMORY"),
        (Report(137, 0, 0, 0), "engine_died", "SIGKILL"),
        (Report(139, 0, 0, 0), "engine_died", "SIGSEGV"),
    ],
)
def test_deaths_are_told_from_failures(report, code, words):
    error = fault("reduce_arc", report, MEMORY)
    assert (error.code if error else None) == code
    assert words in (error.message if error else "")


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ({"OOMKilled": True, "Running": False}, "engine_out_of_memory", "4096 MB"),
        (
            {"Running": False, "ExitCode": 137},
            "engine_died",
            "container ended during reduce_arc (status 137)",
        ),
        ({"Running": True}, "engine_died", "ended from outside"),
    ],
)
def test_a_command_that_told_nothing(state, code, words):
    error = interrupted("reduce_arc", state, MEMORY)
    assert error.code == code
    assert words in error.message
