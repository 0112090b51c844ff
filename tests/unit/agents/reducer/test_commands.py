from __future__ import annotations

import pytest

from agents.reducer.commands import WorkFiles, command_line, output_name, plain_names
from agents.reducer.runner.workfolder import plain_name
from paws.errors import InvalidInputError
from schemas.reductions import ProductInput, input_keys
from schemas.vocabulary import CalibrationRole as Role
from schemas.vocabulary import ProductKind, ReductionKind
from tests.support.reductions import frame_of, reduction_of, write_raw

OBJECT_FILES = {
    Role.TLM: "12mar20003tlm.fits",
    Role.ARC: "12mar20004red.fits",
    Role.FFLAT: "12mar20003red.fits",
    Role.BIAS: "BIAScombined.fits",
}


def _input(number: int, kind: ProductKind) -> ProductInput:
    return ProductInput(job_key=str(number) * 64, kind=kind)


@pytest.fixture
def frame(tmp_path):
    return frame_of(write_raw(tmp_path, 11))


def test_an_object_names_what_it_has_and_switches_off_what_it_lacks(frame):
    reduction = reduction_of(
        ReductionKind.REDUCE_OBJECT, [frame], parameters={"SKYSUB": True, "pcasky": 0, "BSSMOOTH": 3.5}
    )
    command = command_line(reduction, WorkFiles((frame.name,), (), OBJECT_FILES))
    assert command == [
        *("reduce_object", "12mar20011.fits"),
        *("-USEBIASIM", "1", "-BIAS_FILENAME", "BIAScombined.fits"),
        *("-USEDARKIM", "0", "-USEFLATIM", "0"),
        *("-TLMAP_FILENAME", "12mar20003tlm.fits", "-WAVEL_FILENAME", "12mar20004red.fits"),
        *("-USEFFLAT", "1", "-FFLAT_FILENAME", "12mar20003red.fits"),
        *("-BSSMOOTH", "3.5", "-SKYSUB", "1", "-PCASKY", "0"),
    ]
    assert output_name(reduction, ProductKind.OBJECT, WorkFiles((frame.name,))) == "12mar20011red.fits"


@pytest.mark.parametrize(
    ("kind", "files", "expected"),
    [
        (ReductionKind.REDUCE_BIAS, {}, []),
        (ReductionKind.MAKE_TLM, {}, ["-USEBIASIM", "0", "-USEDARKIM", "0", "-USEFLATIM", "0"]),
        (
            ReductionKind.REDUCE_FFLAT,
            {Role.TLM: "t.fits", Role.ARC: "a.fits"},
            [
                *("-USEBIASIM", "0", "-USEDARKIM", "0", "-USEFLATIM", "0"),
                *("-TLMAP_FILENAME", "t.fits", "-WAVEL_FILENAME", "a.fits", "-DO_TLMAP", "0"),
            ],
        ),
    ],
)
def test_calibration_commands(frame, kind, files, expected):
    reduction = reduction_of(kind, [frame])
    command = command_line(reduction, WorkFiles((frame.name,), (), files))
    assert command == [kind.value, frame.name, *expected]


def test_files_to_combine_travel_as_one_argument():
    inputs = [_input(1, ProductKind.OBJECT), _input(2, ProductKind.OBJECT)]
    reduction = reduction_of(ReductionKind.COMBINE_SPECTRA, inputs=inputs)
    command = command_line(reduction, WorkFiles((), ("one.fits", "two.fits")))
    assert command[:2] == ["combine_spectra", "one.fits two.fits"]
    assert command[2] == "-COMBINEDFILE"
    assert command[3] == output_name(reduction, ProductKind.COMBINED, WorkFiles())


def test_splice_reads_two():
    inputs = [_input(1, ProductKind.OBJECT), _input(2, ProductKind.OBJECT)]
    reduction = reduction_of(ReductionKind.SPLICE, inputs=inputs)
    assert "-output_file" in command_line(reduction, WorkFiles((), ("blue.fits", "red.fits")))
    with pytest.raises(InvalidInputError, match="at least 2"):
        command_line(reduction, WorkFiles((), ("blue.fits",)))


def test_a_missing_mandatory_role_is_named(frame):
    reduction = reduction_of(ReductionKind.REDUCE_OBJECT, [frame])
    with pytest.raises(InvalidInputError, match="needs arc, fflat"):
        command_line(reduction, WorkFiles((frame.name,), (), {Role.TLM: "t.fits"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUT_DIRNAME", "/tmp"),
        ("combinedfile", "x.fits"),
        ("BIAS_FILENAME", "other.fits"),
        ("usebiasim", 1),
        ("A B", 1),
        ("-X", 1),
        ("", 1),
        ("SKYSUB", "a\nb"),
        ("SKYSUB", "x" * 501),
    ],
)
def test_parameters_that_could_do_harm_are_refused(frame, name, value):
    reduction = reduction_of(ReductionKind.REDUCE_BIAS, [frame], parameters={name: value})
    with pytest.raises(InvalidInputError):
        command_line(reduction, WorkFiles((frame.name,)))


@pytest.mark.parametrize(
    "name", ["-output.fits", "../x.fits", "a b.fits", "", "x" * 101, "a/b.fits", ".x", "a\n"]
)
def test_names_that_are_not_plain_are_refused(name):
    with pytest.raises(InvalidInputError):
        plain_name(name)


def test_names_in_one_folder_differ():
    assert plain_names(["a.fits", "b.fits", "a.fits", "a.fits"]) == [
        "a.fits",
        "b.fits",
        "n2_a.fits",
        "n3_a.fits",
    ]


def test_every_product_read_is_listed_once(frame):
    tlm = _input(1, ProductKind.TLM)
    reduction = reduction_of(
        ReductionKind.REDUCE_OBJECT,
        [frame],
        inputs=[tlm],
        calibrations={Role.TLM: tlm, Role.ARC: _input(2, ProductKind.ARC)},
    )
    assert input_keys(reduction) == [tlm, _input(2, ProductKind.ARC)]
