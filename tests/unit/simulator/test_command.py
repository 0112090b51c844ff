from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.command import simulate

SMALL = ["--date", "20260312", "--fields", "0", "--biases", "1", "--darks", "0", "--seed", "5"]


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(simulate, list(args))
    return result.exit_code, result.stdout, result.stderr


def test_programs_read_one_line_a_frame_and_a_summary(tmp_path: Path) -> None:
    code, out, _ = run(str(tmp_path / "raw"), *SMALL, "--truth", str(tmp_path / "truth"), "--json")
    assert code == 0
    plan, *frames, summary = [json.loads(line) for line in out.splitlines()]
    assert plan == {"event": "plan", "night": "20260312", "frames": 2}
    assert [(f["event"], f["run"], f["arm"], f["class"]) for f in frames] == [
        ("frame", 1, "blue", "BIAS"),
        ("frame", 1, "red", "BIAS"),
    ]
    assert all(Path(frame["path"]).stat().st_size == frame["bytes"] for frame in frames)
    assert summary["event"] == "summary"
    assert (summary["frames"], summary["night"]) == (2, "20260312")
    assert sorted(path.name for path in (tmp_path / "truth").iterdir()) == [
        "12mar10001.npz",
        "12mar20001.npz",
        "targets.ecsv",
    ]


def test_people_read_a_sentence(tmp_path: Path) -> None:
    code, out, _ = run(str(tmp_path), *SMALL, "--arms", "blue", "--live", "--cadence", "0", "--slow-write")
    assert code == 0
    assert out.startswith("1 frames of 12 Mar 2026")
    assert (tmp_path / "260312/ccd_1/12mar10001.fits").is_file()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--date", "2026"], "YYYYMMDD"),
        (["--arms", "green"], "unknown arm"),
        (["--arms", ""], "at least one arm"),
        (["--gratings", "580V"], "one for each of blue, red"),
        (["--gratings", "385R,580V"], "belongs to the red arm"),
        (["--gratings", "580V,385R@x"], "GRATING@CENTRE"),
        (["--fields", "40", "--exposures", "400"], "do not fit"),
        (["--live", "--cadence", "-3"], "cadence"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, args: list[str], word: str) -> None:
    code, _, err = run(str(tmp_path / "raw"), *SMALL, *args)
    assert code == 2
    assert word in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "raw").exists()


def test_gratings_and_centres_reach_the_header(tmp_path: Path) -> None:
    from astropy.io import fits

    code, *_ = run(str(tmp_path), *SMALL, "--gratings", "1500V,1000R@6900")
    assert code == 0
    header = fits.getheader(tmp_path / "260312/ccd_2/12mar20001.fits")
    assert (header["GRATID"], header["LAMBDCR"]) == ("1000R", 6900.0)
    assert fits.getheader(tmp_path / "260312/ccd_1/12mar10001.fits")["GRATID"] == "1500V"


def test_frames_in_the_way_are_an_error_with_advice(tmp_path: Path) -> None:
    assert run(str(tmp_path), *SMALL)[0] == 0
    code, _, err = run(str(tmp_path), *SMALL)
    assert code == 2
    assert "--existing" in err
    assert run(str(tmp_path), *SMALL, "--existing", "skip")[0] == 0


def test_a_folder_that_cannot_be_made_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = run(str(tmp_path / "file" / "raw"), *SMALL)
    assert code == 1
    assert "cannot write the night" in err


def test_listing_commands_loads_nothing_heavy() -> None:
    script = "import sys, simulator.command; print([m for m in ('numba', 'numpy', 'astropy', 'scipy') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"
