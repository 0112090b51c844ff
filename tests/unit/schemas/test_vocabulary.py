from __future__ import annotations

import pytest

from schemas.vocabulary import Arm, CalibrationLevel, CalibrationRole, FrameClass, FrameState, frame_class


@pytest.mark.parametrize(
    ("ndfclass", "obstype", "runcmd", "expected"),
    [
        ("MFOBJECT", "OBJECT", "RUN", FrameClass.MFOBJECT),
        (" mfarc ", None, None, FrameClass.MFARC),
        ("DFLAT", "FLAT", "FLAT", FrameClass.LFLAT),
        ("SFLAT", None, None, FrameClass.MFSKY),
        ("", "ARC", "RUN", FrameClass.MFARC),
        (None, "", "MFOBJECT", FrameClass.MFOBJECT),
        (None, None, "RUN", FrameClass.MFOBJECT),
        ("FOCUS", None, None, None),
        (None, None, None, None),
    ],
)
def test_frame_class_prefers_ndfclass(ndfclass, obstype, runcmd, expected):
    assert frame_class(ndfclass, obstype, runcmd) is expected


def test_arm_and_ccd_name_each_other():
    assert [Arm.of_ccd(arm.ccd) for arm in Arm] == list(Arm)
    with pytest.raises(ValueError, match="expected CCD 1"):
        Arm.of_ccd(3)


def test_only_tramlines_arc_and_fibre_flat_block():
    assert {role.value for role in CalibrationRole if role.mandatory} == {"tlm", "arc", "fflat"}


def test_every_level_has_a_meaning():
    assert [level.label for level in CalibrationLevel] == ["L0", "L1", "L2", "L3", "L4"]
    assert len({level.meaning for level in CalibrationLevel}) == 5


def test_waiting_is_not_final():
    assert not FrameState.WAITING.is_final
    assert FrameState.SET_ASIDE.is_final
