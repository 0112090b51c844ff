from __future__ import annotations

import pytest

from agents.reducer.markers import advance, is_exit_marker, stage_of


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("AAO05014:CMD05014: RAW file = /x/12mar10011.fits", "reading"),
        ("Debiasing from overscan region.", "detector"),
        ("Image data frame 12mar10011im.fits created.", "image"),
        ("From image sweep found 400 full strong traces across the image", "tramlines"),
        ("CENWAVE= 4699.17 , DISP= 1.04 , DIST= 0.1", "wavelengths"),
        ('Action "REDUCE_FFLAT", Task "CMD05014", completed.', "writing"),
        ('Action "EXIT", Task "CMD05014", completed.', "done"),
        ("Waiting for Docker: the daemon does not answer.", "waiting for Docker"),
        ("Configuring for default koala.idx", None),
        ("", None),
    ],
)
def test_stage_of_a_line(line, stage):
    found = stage_of(line)
    assert (found.name if found else None) == stage


def test_progress_never_falls():
    stage = None
    seen = []
    for line in (
        "Image data frame x created.",
        "Debiasing from overscan region.",
        "Generated tramline map x",
    ):
        stage = advance(stage, line)
        seen.append(stage.progress)
    assert seen == sorted(seen)
    assert stage.name == "tramlines"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Action "EXIT", Task "CMD05014", completed.', True),
        ('Action "EXIT", Task CMD05014, completed', True),
        ('Action "REDUCE_OBJECT", Task "CMD05014", completed.', False),
        ("Exiting AAO Run Process AAO05014", False),
    ],
)
def test_exit_marker(line, expected):
    assert is_exit_marker(line) is expected
