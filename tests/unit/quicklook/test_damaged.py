"""Damaged frames and calibrations end in a sentence, never in a traceback; hypothesis chooses the damage."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings

from quicklook.cli import FAILED, REFUSED, SUCCESS, run
from tests.unit.quicklook.damage import bad_card, bad_value, damages, truncate
from tests.unit.quicklook.test_raw import raw_file

BOUNDED = settings(
    deadline=None,
    max_examples=12,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FLAT, ARC, SCIENCE = "12mar20005", "12mar20006", "12mar20007"


def carry_out(folder, *argv):
    """Exit status; whatever happens, the last word must be understandable."""
    out = io.StringIO()
    status = run([*argv, "-KEEP_INTERMEDIATE", "0", "-OUT_DIRNAME", "out"], cwd=folder, stdout=out)
    log = out.getvalue()
    assert status in (SUCCESS, FAILED, REFUSED)
    assert "internal fault" not in log, log
    assert "Traceback" not in log
    assert status == SUCCESS or "Error: " in log
    return status


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return raw_file(tmp_path_factory.mktemp("damaged") / "12mar20001.fits", ndf_class="BIAS").read_bytes()


@BOUNDED
@given(damage=damages)
def test_a_damaged_raw_frame(tmp_path, frame, damage):
    how, where, what = damage
    (tmp_path / "12mar20001.fits").write_bytes(how(frame, where, what))
    carry_out(tmp_path, "reduce_bias", "12mar20001.fits")


@pytest.mark.parametrize("where", [0.0, 0.0001, 0.5, 0.999])
def test_a_frame_that_broke_off_is_refused(tmp_path, frame, where):
    (tmp_path / "12mar20001.fits").write_bytes(truncate(frame, where, b""))
    assert carry_out(tmp_path, "reduce_bias", "12mar20001.fits") == REFUSED


def test_the_damages_do_damage(frame):
    assert bad_card(frame, 0.3, b"x") != frame
    assert bad_value(frame, 0.3, b"x") != frame


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """The red arm of a simulated field with all that a science frame needs."""
    root = tmp_path_factory.mktemp("whole")
    subprocess.run(
        [sys.executable, "-m", "simulator", str(root), "--date", "20260312", "--exposures", "1", "--biases", "3",
         "--darks", "0", "--jobs", "1"],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    folder = root / "260312" / "ccd_2"
    tlm, use = ["-TLMAP_FILENAME", f"{FLAT}tlm.fits"], ["-BIAS_FILENAME", "12mar20001red.fits"]
    for argv in (
        ["reduce_bias", "12mar20001.fits"],
        ["make_tlm", f"{FLAT}.fits", *use],
        ["reduce_arc", f"{ARC}.fits", *tlm, *use],
        ["reduce_fflat", f"{FLAT}.fits", *tlm, *use, "-DO_TLMAP", "0", "-WAVEL_FILENAME", f"{ARC}red.fits"],
    ):
        assert run([*argv, "-KEEP_INTERMEDIATE", "0"], cwd=folder, stdout=io.StringIO()) == SUCCESS
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "victim",
    [f"{SCIENCE}.fits", "12mar20001red.fits", f"{FLAT}tlm.fits", f"{ARC}red.fits", f"{FLAT}red.fits"],
)
def test_a_science_frame_with_one_damaged_file(tmp_path, field, victim):
    whole = (field / victim).read_bytes()
    for path in field.glob("*.fits"):
        (tmp_path / path.name).symlink_to(path)

    @BOUNDED
    @given(damage=damages)
    def try_it(damage):
        how, where, what = damage
        (tmp_path / victim).unlink()
        (tmp_path / victim).write_bytes(how(whole, where, what))
        carry_out(
            tmp_path, "reduce_object", f"{SCIENCE}.fits", "-TLMAP_FILENAME", f"{FLAT}tlm.fits",
            "-WAVEL_FILENAME", f"{ARC}red.fits", "-FFLAT_FILENAME", f"{FLAT}red.fits",
            "-BIAS_FILENAME", "12mar20001red.fits",
        )  # fmt: skip

    try_it()
