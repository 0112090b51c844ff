"""Two demos on one machine, and two starts in one folder."""

from __future__ import annotations

import pytest

from tests.support.live import PATIENCE, paws, processes_of, summary_of, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SHORT = ["--fields", "1", "--exposures", "1", "--biases", "2", "--darks", "0", "--cadence", "1"]


def test_two_demos_do_not_meet(folder):
    folders = [folder / "one", folder / "two"]
    commands = [
        ["demo", *SHORT, "--seed", str(seed), "--data", str(data), "--exit-when-done", "--json"]
        for seed, data in enumerate(folders)
    ]
    with paws(commands[0], folders[0]) as one, paws(commands[1], folders[1]) as other:
        summaries = [summary_of(running.finish()) for running in (one, other)]
        assert [running.process.returncode for running in (one, other)] == [0, 0]
    for summary in summaries:
        assert summary["reduced"] == summary["frames"] == 12
        assert summary["rejected"] == 0
    wait_until("nothing is left", lambda: processes_of(folder) == [], patience=60)


def test_a_folder_in_use_is_refused_clearly(folder):
    data, raw = folder / "data", folder / "raw"
    raw.mkdir()
    with paws(["up", "--raw", str(raw), "--data", str(data), "--port", "0"], data) as running:
        running.ready()
        with paws(["up", "--raw", str(raw), "--data", str(data), "--port", "0"], data) as second:
            second.process.wait(timeout=PATIENCE)
            assert second.process.returncode == 1
            assert "Traceback" not in second.log.read_text()
        assert running.process.poll() is None
        running.stop()
    wait_until("nothing is left", lambda: processes_of(folder) == [], patience=60)
