from __future__ import annotations

import pytest

from schemas.reductions import ProductInput, job_key
from schemas.vocabulary import CalibrationRole, ProductKind, ReductionKind

TLM = (CalibrationRole.TLM, ProductInput(job_key="1" * 64, kind=ProductKind.TLM))
ARC = (CalibrationRole.ARC, ProductInput(job_key="2" * 64, kind=ProductKind.ARC))
BASE = {
    "kind": ReductionKind.REDUCE_OBJECT,
    "frame_checksums": ("a" * 64,),
    "inputs": (),
    "calibrations": (TLM, ARC),
    "parameters": {"SKYSUB": True},
    "engine": "builtin",
    "engine_version": "1",
}


def test_the_order_of_calibrations_does_not_count():
    assert job_key(**BASE) == job_key(**BASE | {"calibrations": (ARC, TLM)})


def test_the_case_of_parameter_names_does_not_count():
    assert job_key(**BASE) == job_key(**BASE | {"parameters": {"skysub": True}})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ReductionKind.REDUCE_SKY},
        {"frame_checksums": ("b" * 64,)},
        {"inputs": (TLM[1],)},
        {"calibrations": (TLM,)},
        {"parameters": {"SKYSUB": False}},
        {"engine": "local"},
        {"engine_version": "2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_the_result_depends_on_counts(change):
    assert job_key(**BASE) != job_key(**BASE | change)


def test_the_order_of_inputs_counts():
    one, other = TLM[1], ARC[1]
    assert job_key(**BASE | {"inputs": (one, other)}) != job_key(**BASE | {"inputs": (other, one)})
