from __future__ import annotations

import numpy as np
import pytest

from simulator import objects
from simulator.slit import make_slit
from simulator.targets import FieldTargets, SourceClass, make_targets, open_to_lamps, open_to_sky

CENTRE = (np.deg2rad(155.0), np.deg2rad(-30.0))


def field(seed: int) -> FieldTargets:
    return make_targets("FLD101", make_slit(0, np.random.default_rng(seed)), *CENTRE, [seed])


@pytest.mark.parametrize("seed", range(10))
def test_a_configuration_is_allocated_as_2df_does(seed: int) -> None:
    targets = field(seed)
    counts = {kind: int((targets.kind == kind).sum()) for kind in "PSFUN"}
    assert sum(counts.values()) == 400
    assert counts["S"] == 25
    assert counts["F"] == 8
    assert 3 <= counts["N"] <= 8
    assert 20 <= counts["U"] <= 45
    assert len({row // 10 for row in np.flatnonzero(targets.kind == "S")}) == 25
    assert open_to_sky(targets).sum() == counts["P"] + 25
    assert open_to_lamps(targets).sum() == counts["P"] + 25 + counts["U"]


@pytest.mark.parametrize("seed", range(5))
def test_targets_lie_in_the_field_and_are_as_bright_as_they_should_be(seed: int) -> None:
    targets = field(seed)
    cosine = np.sin(targets.dec) * np.sin(CENTRE[1])
    cosine += np.cos(targets.dec) * np.cos(CENTRE[1]) * np.cos(targets.ra - CENTRE[0])
    assert np.rad2deg(np.arccos(cosine)).max() < 1.01
    program = targets.kind == "P"
    assert targets.magnitude[program].min() >= 17.0
    assert targets.magnitude[program].max() <= 21.0
    assert len({name for name, p in zip(targets.name, program, strict=True) if p}) == program.sum()
    assert np.isfinite(targets.redshift[program]).all()
    assert np.isnan(targets.redshift[~program]).all()
    kinds = {source for source, p in zip(targets.source, program, strict=True) if p}
    assert kinds == set(SourceClass) - {SourceClass.NONE}


def test_emission_lines_are_at_the_redshift_of_the_truth() -> None:
    targets = field(1)
    lines = objects.emission(targets)
    for fibre in np.flatnonzero([s is SourceClass.EMISSION_GALAXY for s in targets.source])[:20]:
        mine = lines.wavelength[lines.fibre == fibre]
        assert np.abs(mine - 5006.84 * (1 + targets.redshift[fibre])).min() < 1e-6
        assert np.abs(mine - 6562.79 * (1 + targets.redshift[fibre])).min() < 1e-6


def test_brighter_magnitudes_give_more_photons() -> None:
    targets = field(2)
    fibres = np.flatnonzero(targets.kind == "P").astype(np.int64)
    wave = np.full((fibres.size, 1), objects.PIVOT_A)
    flux = objects.continuum(targets, wave, fibres)[:, 0]
    assert -2.5 * np.log10(flux / flux[0]) == pytest.approx(
        targets.magnitude[fibres] - targets.magnitude[fibres[0]], abs=1e-9
    )
