from __future__ import annotations

import io
import json

from quicklook.batch import serve


def answers(*lines: str) -> list[dict]:
    out = io.StringIO()
    serve(io.StringIO("".join(f"{line}\n" for line in lines)), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_commands_are_carried_out_one_after_the_other(tmp_path):
    command = {"cwd": str(tmp_path), "argv": ["help"]}
    refused = {"cwd": str(tmp_path), "argv": ["reduce_bias", "absent.fits"]}
    first, second, third = answers(json.dumps(command), json.dumps(refused), json.dumps(command))
    assert (first["status"], second["status"], third["status"]) == (0, 2, 0)
    assert "reduce_object" in first["log"]
    assert "absent.fits" in second["log"]
    assert first["cpu"] >= 0


def test_a_line_that_is_no_command_is_refused_and_the_next_is_heard(tmp_path):
    bad = ["", "help", "[1, 2]", "{}", '{"cwd": 3, "argv": []}', '{"cwd": "/", "argv": 5}']
    replies = answers(*bad, json.dumps({"cwd": str(tmp_path), "argv": ["help"]}))
    assert [reply["status"] for reply in replies] == [2] * len(bad) + [0]
    assert all("not a command" in reply["log"] for reply in replies[:-1])
