from __future__ import annotations

import io

import pytest

from quicklook.cli import run
from quicklook.command import parse
from quicklook.errors import InvalidInput
from quicklook.idx import read_idx
from quicklook.parameters import BY_NAME, PARAMETERS, Settings


def call(*argv, cwd):
    out = io.StringIO()
    return run(list(argv), cwd=cwd, stdout=out), out.getvalue()


@pytest.mark.parametrize("text", ["1", "T", "true", "YES", "y", ".TRUE."])
def test_logicals_that_are_true(text):
    assert BY_NAME["SKYSUB"].read(text) is True


@pytest.mark.parametrize("text", ["0", "F", "False", "no"])
def test_logicals_that_are_false(text):
    assert BY_NAME["SKYSUB"].read(text) is False


@pytest.mark.parametrize(
    ("name", "text"),
    [("SKYSUB", "perhaps"), ("ARCFITORDER", "2.5"), ("ARCFITORDER", "99"), ("CSIGREJ", "nan"), ("FLUXWT", "SOME"),
     ("COMBINEDFILE", "a\0b"), ("WAVE_START", "inf")],
)  # fmt: skip
def test_wrong_values_are_refused_with_the_name(name, text):
    with pytest.raises(InvalidInput, match=name):
        BY_NAME[name].read(text)


def test_defaults_are_values_of_their_own_parameter():
    for p in PARAMETERS:
        if p.kind == "choice":
            assert p.default in p.choices
        assert p.meaning


def test_lists_case_and_unknown_parameters(tmp_path):
    command = parse(
        ["Combine_Spectra", "a.fits b.fits", "-combinedFILE", "o.fits", "-FOO", "1", "PCASKY", "0"], tmp_path
    )
    assert command.verb == "combine_spectra"
    assert command.words == ("a.fits", "b.fits")
    assert command.settings["COMBINEDFILE"] == "o.fits"
    assert len([n for n in command.notes if "FOO" in n]) == 1
    assert any("PCASKY" in n for n in command.notes)


def test_a_name_with_a_blank_is_one_file_if_it_exists(tmp_path):
    (tmp_path / "a b.fits").touch()
    assert parse(["reduce_bias", "a b.fits"], tmp_path).words == ("a b.fits",)
    assert parse(["reduce_bias", "{c.fits d.fits}"], tmp_path).words == ("c.fits", "d.fits")


def test_idx_file_sets_and_command_line_overrides(tmp_path):
    (tmp_path / "mine.idx").write_text(
        "DRC_INSTRUMENT 2dF ;# comment\n# a remark\nDRC_INCLUDE ozdes_blue.idx\n"
        "DRC_CONST_PAR SKYSUB 0 REDUCE\nDRC_OVERRIDE_PAR PCANUM 12 REDUCE\nDRC_CONST_PAR NOTHING 1 REDUCE\n"
        "proc URP:ModifyReduceArgs {file class args} {\n  DRC_CONST_PAR PCANUM 3 REDUCE\n}\n"
    )
    command = parse(["reduce_object", "x.fits", "-idxfile", "mine.idx", "-SKYSUB", "1"], tmp_path)
    assert command.settings["SKYSUB"] is True
    assert command.settings["PCANUM"] == 12
    notes = " ".join(command.notes)
    assert "ozdes_blue.idx" in notes
    assert "NOTHING" in notes
    assert "ModifyReduceArgs" in notes


def test_idx_files_that_cannot_be_used(tmp_path):
    with pytest.raises(InvalidInput, match="does not exist"):
        read_idx("nowhere.idx", tmp_path)
    (tmp_path / "loop.idx").write_text("DRC_INCLUDE loop.idx\n")
    with pytest.raises(InvalidInput, match="include each other"):
        read_idx("loop.idx", tmp_path)
    (tmp_path / "bad.idx").write_text("DRC_CONST_PAR SKYSUB maybe REDUCE\n")
    with pytest.raises(InvalidInput, match=r"bad.idx line 1"):
        read_idx("bad.idx", tmp_path)
    assert read_idx("gama_red.idx", tmp_path).values == {}


def test_gratings_have_their_own_defaults_but_what_is_given_wins():
    assert Settings({}, "580V")["SKYSCRUNCH"] is True
    assert Settings({}, "3200B")["SKYSCRUNCH"] is False
    assert Settings({"SKYSCRUNCH": True}, "3200B")["SKYSCRUNCH"] is True


def test_help(tmp_path):
    code, text = call("help", cwd=tmp_path)
    assert code == 0
    assert "reduce_object" in text
    code, text = call("help", "PARAMS", cwd=tmp_path)
    assert code == 0
    assert all(p.name in text for p in PARAMETERS)
    assert call("help", "reduce_arc", cwd=tmp_path)[0] == 0
    assert call("help", "nonsense", cwd=tmp_path)[0] == 2


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["reduce_object"],
        ["reduce_object", "none.fits"],
        ["reduce_object", "junk.fits"],
        ["reduce_bias", "junk.fits", "-USEBIASIM"],
        ["reduce_bias", "junk.fits", "-USEBIASIM", "maybe"],
        ["reduce_bias", "junk.fits", "-wdir", "nowhere"],
        ["combine_spectra", "junk.fits", "-COMBINEDFILE", "o.fits"],
        ["combine_image", "junk.fits"],
        ["splice", "junk.fits junk.fits", "-OUTPUT_FILE", "o.fits"],
    ],
)
def test_bad_commands_are_refused_without_traceback(argv, tmp_path):
    (tmp_path / "junk.fits").write_bytes(b"SIMPLE  = not at all" * 50)
    code, text = call(*argv, cwd=tmp_path)
    assert code == 2
    assert "Error:" in text
    assert "Traceback" not in text
    assert 'Action "EXIT"' not in text


def test_list_classifies_what_it_can(tmp_path):
    (tmp_path / "12mar10001.fits").write_bytes(b"broken")
    code, text = call("list", cwd=tmp_path)
    assert code == 0
    assert "12mar10001.fits UNKNOWN" in text
