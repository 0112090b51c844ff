"""Damaged frames and calibrations end in a sentence, never in a traceback; hypothesis chooses the damage.

``PAWS_HUNT=100`` in the environment looks for more: so many random examples of each, other ones every time.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quicklook.cli import FAILED, REFUSED, SUCCESS, run
from tests.unit.quicklook.damage import bad_card, bad_value, damages, no_block, noise, truncate, wrong_array
from tests.unit.quicklook.test_raw import raw_file

HUNT = int(os.environ.get("PAWS_HUNT", "0"))


def bounded(examples):
    """So many examples, the same every time; or many more, others every time."""
    return settings(
        deadline=None,
        max_examples=HUNT or examples,
        derandomize=not HUNT,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


BIAS, FLAT, ARC, SCIENCE = "12mar20001", "12mar20005", "12mar20006", "12mar20007"
LINES, USE = ("-TLMAP_FILENAME", f"{FLAT}tlm.fits"), ("-BIAS_FILENAME", f"{BIAS}red.fits")
WAVES, RESPONSE = ("-WAVEL_FILENAME", f"{ARC}red.fits"), ("-FFLAT_FILENAME", f"{FLAT}red.fits")
OBJECT = ("reduce_object", f"{SCIENCE}.fits", *LINES, *WAVES, *RESPONSE, *USE)

COMMANDS = [
    (f"{FLAT}.fits", ("make_tlm", f"{FLAT}.fits", *USE)),
    (f"{ARC}.fits", ("reduce_arc", f"{ARC}.fits", *LINES, *USE)),
    (f"{FLAT}tlm.fits", ("reduce_arc", f"{ARC}.fits", *LINES, *USE)),
    (f"{FLAT}.fits", ("reduce_fflat", f"{FLAT}.fits", *LINES, *WAVES, *USE, "-DO_TLMAP", "0")),
    (f"{ARC}red.fits", ("reduce_fflat", f"{FLAT}.fits", *LINES, *WAVES, *USE, "-DO_TLMAP", "0")),
    (f"{SCIENCE}.fits", OBJECT),
    (f"{BIAS}red.fits", OBJECT),
    (f"{FLAT}tlm.fits", OBJECT),
    (f"{ARC}red.fits", OBJECT),
    (f"{FLAT}red.fits", OBJECT),
    (f"{BIAS}red.fits", ("combine_image", f"{BIAS}red.fits {BIAS}.red.fits", "-COMBINEDFILE", "b.fits")),
    (
        f"{SCIENCE}red.fits",
        ("combine_spectra", f"{SCIENCE}red.fits {SCIENCE}.red.fits", "-COMBINEDFILE", "c.fits"),
    ),
    (
        f"{SCIENCE}red.fits",
        ("splice", f"{SCIENCE}.red.fits {SCIENCE}red.fits", "-OUTPUT_FILE", "s.fits"),
    ),
]
"""Which file is spoilt, and what is done with it. ``NAME.red.fits`` is a whole copy of it."""


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
    return raw_file(tmp_path_factory.mktemp("damaged") / f"{BIAS}.fits", ndf_class="BIAS")


@bounded(16)
@given(damage=damages)
def test_a_damaged_raw_frame(tmp_path, frame, damage):
    how, where, what = damage
    (tmp_path / f"{BIAS}.fits").write_bytes(how(frame.read_bytes(), where, what))
    carry_out(tmp_path, "reduce_bias", f"{BIAS}.fits")


@pytest.mark.parametrize("where", [0.0, 0.0001, 0.5, 0.999])
def test_a_frame_that_broke_off_is_refused(tmp_path, frame, where):
    (tmp_path / f"{BIAS}.fits").write_bytes(truncate(frame.read_bytes(), where, b""))
    assert carry_out(tmp_path, "reduce_bias", f"{BIAS}.fits") == REFUSED


@pytest.mark.parametrize("how", [truncate, bad_card, bad_value, noise, no_block, wrong_array])
def test_the_damages_do_damage(frame, how):
    whole = frame.read_bytes()
    assert how(whole, 0.3, b"x") != whole


words = st.one_of(
    st.sampled_from(["DRC_CONST_PAR", "DRC_LOGICAL_PAR", "DRC_OVERRIDE_PAR", "DRC_INCLUDE", "{", "}", '"', "#", ";"]),
    st.sampled_from(["USEBIASIM", "FITOVERSCAN", "OVERSCANORDER", "580V.idx", "bad.idx", "../bad.idx", "YES", "T"]),
    st.sampled_from(["1e400", "-1", "nan", "99999999999999999999", "SPLINE", "POLYEXP", "FIT", "21"]),
    st.text(max_size=12),
)  # fmt: skip


@bounded(60)
@given(lines=st.lists(st.lists(words, max_size=5), max_size=8))
def test_a_damaged_parameter_file(tmp_path, frame, lines):
    text = "\n".join(" ".join(line) for line in lines)
    (tmp_path / "bad.idx").write_bytes(text.encode("utf-8", "surrogatepass"))
    (tmp_path / f"{BIAS}.fits").write_bytes(truncate(frame.read_bytes(), 0.1, b""))
    carry_out(tmp_path, "reduce_bias", f"{BIAS}.fits", "-idxfile", "bad.idx")


@bounded(60)
@given(argv=st.lists(st.one_of(words, st.text(max_size=8).map("-{}".format)), max_size=6))
def test_words_that_make_no_command(tmp_path, argv):
    out = io.StringIO()
    assert run(argv, cwd=tmp_path, stdout=out) in (SUCCESS, FAILED, REFUSED)
    assert "internal fault" not in out.getvalue()


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
    for argv in (
        ["reduce_bias", f"{BIAS}.fits"],
        ["make_tlm", f"{FLAT}.fits", *USE],
        ["reduce_arc", f"{ARC}.fits", *LINES, *USE],
        ["reduce_fflat", f"{FLAT}.fits", *LINES, *USE, "-DO_TLMAP", "0", *WAVES],
        [*OBJECT],
    ):
        assert run([*argv, "-KEEP_INTERMEDIATE", "0"], cwd=folder, stdout=io.StringIO()) == SUCCESS
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "argv"), COMMANDS, ids=[f"{a[0]}-{v[10:-5] or v[5:]}" for v, a in COMMANDS]
)
def test_one_damaged_file(tmp_path, field, victim, argv):
    whole = (field / victim).read_bytes()
    for path in field.glob("*.fits"):
        (tmp_path / path.name).symlink_to(path)
        (tmp_path / path.name.replace("red.fits", ".red.fits")).unlink(missing_ok=True)
        (tmp_path / path.name.replace("red.fits", ".red.fits")).symlink_to(path)

    @bounded(5)
    @given(damage=damages)
    def try_it(damage):
        how, where, what = damage
        (tmp_path / victim).unlink()
        (tmp_path / victim).write_bytes(how(whole, where, what))
        carry_out(tmp_path, *argv)

    try_it()
