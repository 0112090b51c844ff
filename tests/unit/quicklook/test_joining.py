from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from quicklook.armscale import measure_scale
from quicklook.combine import Exposure, combine, match
from quicklook.dichroic import lamp_dichroic
from quicklook.errors import InvalidInput
from quicklook.splice import Arm, splice
from quicklook.types import LinearGrid

NAMES = [f"obj{i}" for i in range(40)]
TYPES = ["P"] * 36 + ["S"] * 4


def exposure(weight: float, seed: int, names=NAMES, level: float = 200.0) -> Exposure:
    rng = np.random.default_rng(seed)
    truth = weight * level * (1 + np.arange(40)[:, None] / 40) * np.ones((40, 1000))
    truth[36:] = 0.0
    variance = truth + 100.0
    flux = truth + rng.normal(0, 1, truth.shape) * np.sqrt(variance)
    return Exposure(flux.astype(np.float32), variance.astype(np.float32), names, TYPES)


def test_equal_exposures_gain_the_square_root():
    single, parts = exposure(1.0, 0), [exposure(1.0, i) for i in range(4)]
    combined = combine(parts)
    snr = combined.flux[:36] / np.sqrt(combined.variance[:36])
    one = single.flux[:36] / np.sqrt(single.variance[:36])
    assert np.median(snr) / np.median(one) == pytest.approx(2.0, rel=0.03)
    truth = 200.0 * (1 + np.arange(36)[:, None] / 40)
    pull = (combined.flux[:36] - truth) / np.sqrt(combined.variance[:36])
    assert np.std(pull) == pytest.approx(1.0, abs=0.05)


def test_weights_follow_the_light():
    combined = combine([exposure(1.0, 1), exposure(0.6, 2), exposure(0.85, 3)])
    np.testing.assert_allclose(combined.weights, [1.0, 0.6, 0.85], rtol=0.02)
    truth = 200.0 * (1 + np.arange(36)[:, None] / 40)
    assert np.median(combined.flux[:36] / truth) == pytest.approx(1.0, rel=0.01)


def test_a_cosmic_ray_is_left_out():
    parts = [exposure(1.0, i) for i in range(3)]
    parts[1].flux[5, 300:303] += 5000.0
    combined = combine(parts)
    assert np.abs(combined.flux[5, 300:303] - 225).max() < 150
    assert combined.rejected >= 3


def test_objects_are_found_again_on_other_fibres_and_new_ones_appended():
    moved = [*NAMES[1:36], "new", *NAMES[36:]]
    rows = match([exposure(1, 0), exposure(1, 1, names=moved)])
    assert rows[1] == [(0, 1), (1, 0)]
    assert rows[0] == [(0, 0)]
    assert rows[-1] == [(1, 35)]
    assert len(rows) == 41


def test_different_grids_are_refused():
    short = Exposure(np.ones((40, 10), np.float32), np.ones((40, 10), np.float32), NAMES, TYPES)
    with pytest.raises(InvalidInput, match="wavelength"):
        combine([exposure(1, 0), short])


def arms(red_throughput: float, width: float = 25.0, *, colour: float = 0.0, light=None, lamp=None):
    """Blue and red arms of sources with a dichroic at 5720 Angstrom.

    ``colour`` makes the red arm's sensitivity rise along the overlap, ``light`` is the spectrum of all sources
    (flat without one), ``lamp`` that of the flat lamp, by which the arms are given one.
    """
    rng = np.random.default_rng(3)
    level = rng.uniform(200, 600, 40)[:, None]
    made = []
    for start, step, sign in ((3740.0, 1.03, 1.0), (5630.0, 1.57, -1.0)):
        grid = LinearGrid(start, step, 2048)
        w = grid.wavelengths
        response = 1.0 / (1.0 + np.exp(sign * (w - 5720.0) / width))
        if sign < 0:
            response *= red_throughput * np.exp(colour * (w - 5720.0) / 100.0)
        truth = level * step * response * (1.0 if light is None else light(w))
        variance = truth + 40.0
        flux = truth + rng.normal(size=truth.shape) * np.sqrt(variance)
        seen = None if lamp is None else (step * response * lamp(w)).astype(np.float32)[np.newaxis, :]
        sky = (50.0 * step * response).astype(np.float32)[np.newaxis, :]
        made.append(Arm(flux.astype(np.float32), variance.astype(np.float32), grid, sky, seen))
    return made, level


def quartz(w):
    """A lamp that grows redwards, in some unit."""
    return 3e4 * np.exp((w - 5000.0) / 1500.0)


def lined(w):
    """Spectra with a strong slope, and a wide line at the middle of the overlap and one at its end."""
    slope = np.exp((w - 5720.0) / 400.0)
    return slope * (
        1.0 + 0.8 * np.exp(-0.5 * ((w - 5710) / 12) ** 2) - 0.7 * np.exp(-0.5 * ((w - 5800) / 15) ** 2)
    )


@pytest.mark.parametrize("red_throughput", [1.0, 1.7, 0.6])
def test_arms_join_without_a_step(red_throughput):
    (blue, red), level = arms(red_throughput)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    wavelength = joined.grid.wavelengths
    assert joined.grid.step == blue.grid.step
    scaled = joined.flux / (level * 1.03)
    left = np.nanmedian(scaled[:, (wavelength > 5300) & (wavelength < 5550)])
    right = np.nanmedian(scaled[:, (wavelength > 5900) & (wavelength < 6200)])
    assert left == pytest.approx(1.0, abs=0.01)
    assert right == pytest.approx(1.0, abs=0.02)
    assert joined.scale.plate == pytest.approx(1 / red_throughput, rel=0.02)
    pieces = [(wavelength > w) & (wavelength < w + 20) for w in range(5500, 6000, 20)]
    middle = np.array([np.nanmedian(scaled[:, piece]) for piece in pieces])
    assert np.abs(middle - 1.0).max() < 0.06
    assert np.abs(np.diff(middle)).max() < 0.02


def test_exchanged_arms_and_other_fields_are_refused():
    (blue, red), _ = arms(1.0)
    with pytest.raises(InvalidInput, match="blue"):
        splice(red, blue, np.ones(40, dtype=bool))
    with pytest.raises(InvalidInput, match="spectra"):
        splice(blue, Arm(red.flux[:20], red.variance[:20], red.grid), np.ones(40, dtype=bool))


@pytest.mark.parametrize("red_throughput", [1.0, 0.6])
def test_what_the_dichroic_takes_is_given_back_where_one_arm_is_not_seen(red_throughput):
    (blue, red), level = arms(red_throughput, width=45.0)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    wavelength = joined.grid.wavelengths
    scaled = joined.flux / (level * 1.03)
    pieces = [(wavelength > w) & (wavelength < w + 20) for w in range(5400, 6100, 20)]
    middle = np.array([np.nanmedian(scaled[:, piece]) for piece in pieces])
    assert np.abs(middle - 1.0).max() < 0.02
    assert joined.scale.plate == pytest.approx(1 / red_throughput, rel=0.02)


def test_arms_without_a_dichroic_between_them_are_joined_as_they_are():
    (blue, red), level = arms(1.0, width=1e6)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    assert joined.scale.plate == pytest.approx(1.0, rel=0.01)
    scaled = joined.flux / (0.5 * level * 1.03)
    assert np.nanmedian(scaled, axis=0)[8:-20] == pytest.approx(1.0, abs=0.1)


def in_pieces(joined, truth, first=5450, last=6050):
    """Median over the fibres of flux over truth, in pieces of 20 Angstrom."""
    wavelength = joined.grid.wavelengths
    pieces = [(wavelength > w) & (wavelength < w + 20) for w in range(first, last, 20)]
    return np.array([np.nanmedian(joined.flux[:, p].sum(axis=1) / truth[:, p].sum(axis=1)) for p in pieces])


@pytest.mark.parametrize(("red_throughput", "width"), [(1.0, 45.0), (0.6, 45.0), (1.7, 25.0)])
def test_lines_in_the_overlap_are_no_matter_where_the_lamp_tells_the_dichroic(red_throughput, width):
    (blue, red), level = arms(red_throughput, width, light=lined, lamp=quartz)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    assert joined.dichroic == "lamp"
    ratio = in_pieces(joined, level * 1.03 * lined(joined.grid.wavelengths))
    assert np.abs(ratio - 1.0).max() < 0.01
    assert joined.scale.plate == pytest.approx(1 / red_throughput, rel=0.01)
    known = np.array(joined.steps)[np.isfinite(joined.steps)]
    assert len(known) >= 2
    assert np.abs(known).max() < 0.01


def test_an_arm_whose_sensitivity_rises_in_the_overlap_leaves_no_step():
    (blue, red), level = arms(1.2, 45.0, colour=0.06, light=lined, lamp=quartz)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    w = joined.grid.wavelengths
    share = 1.0 / (1.0 + np.exp((w - 5720.0) / 45.0))
    truth = share + (1.0 - share) * np.exp(0.06 * (w - 5720.0) / 100.0)
    assert np.abs(in_pieces(joined, level * 1.03 * lined(w) * truth) - 1.0).max() < 0.015
    assert np.nanmax(np.abs(joined.steps)) < 0.01


def test_a_fibre_with_another_throughput_in_red_is_found_and_faint_fibres_take_the_plate_s_scale():
    (blue, red), _ = arms(1.0, 45.0, lamp=quartz)
    red.flux[7] *= 1.2
    red.variance[7] *= 1.44
    rng = np.random.default_rng(5)
    red.flux[8] = rng.normal(size=red.flux.shape[1]) * 6.0
    blue.flux[8] = rng.normal(size=blue.flux.shape[1]) * 6.0
    joined = splice(blue, red, np.ones(40, dtype=bool))
    assert joined.scale.fibres[8] == pytest.approx(joined.scale.plate)
    others = np.delete(joined.scale.fibres, [7, 8])
    assert others == pytest.approx(np.full(38, joined.scale.plate), rel=0.01)
    assert joined.scale.fibres[7] == pytest.approx(joined.scale.plate / 1.2, rel=0.03)
    assert joined.scale.measured == 39


def test_the_sky_is_joined_as_the_spectra_are():
    (blue, red), _ = arms(0.6, 45.0, lamp=quartz)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    inside = (joined.grid.wavelengths > 5450) & (joined.grid.wavelengths < 6050)
    assert joined.sky[0, inside] / (50.0 * 1.03) == pytest.approx(np.ones(inside.sum()), abs=0.02)


def test_the_sky_tells_the_scale_where_all_objects_are_too_faint():
    (blue, red), _ = arms(0.5, 45.0, light=lambda w: 0.0 * w, lamp=quartz)
    joined = splice(blue, red, np.ones(40, dtype=bool))
    assert joined.scale.plate == pytest.approx(2.0, rel=0.01)
    assert joined.scale.error > 0
    unknown = splice(
        Arm(blue.flux, blue.variance, blue.grid), Arm(red.flux, red.variance, red.grid), np.ones(40, bool)
    )
    assert unknown.scale.error == 0.0
    assert (unknown.scale.fibres == 1.0).all()


def pairs(scatter: float, n: int = 300):
    """Both arms of many fibres in the overlap, red half as bright, its scale scattering from fibre to fibre."""
    rng = np.random.default_rng(11)
    own = 2.0 * np.exp(scatter * rng.normal(size=n))
    level = rng.uniform(5.0, 400.0, n)[:, None] * np.ones((n, 150))
    made = []
    for light in (level, level / own[:, None]):
        variance = light + 30.0
        made.append(
            (
                (light + rng.normal(size=light.shape) * np.sqrt(variance)).astype(np.float32),
                variance.astype(np.float32),
            )
        )
    return made, own


@pytest.mark.parametrize("scatter", [0.0, 0.02])
def test_fibres_scales_are_believed_as_far_as_they_can_be_known(scatter):
    (blue, red), own = pairs(scatter)
    blue[0][20, 40] += 1e5
    scale = measure_scale(blue, red, np.ones(300, dtype=bool))
    assert scale.plate == pytest.approx(2.0, rel=0.004)
    assert abs(scale.scatter - scatter) < 0.006
    left = np.log(scale.fibres / own)
    assert np.std(left) <= 0.65 * scatter + 0.002


def with_skies(levels, sky_error: float, n_sky: int = 8, seed: int = 7):
    """Both arms of objects and sky fibres in the overlap, red half as bright, its sky found too faint by an error."""
    rng = np.random.default_rng(seed)
    light = np.concatenate([levels, np.zeros(n_sky)])[:, None] * np.ones((len(levels) + n_sky, 150))
    own = 1.0 + 0.006 * rng.normal(size=len(light))[:, None]
    made = []
    for part, wrong in ((light, 0.0), (0.5 * light * own, sky_error)):
        variance = part + 130.0
        flux = part + wrong + rng.normal(size=part.shape) * np.sqrt(variance)
        made.append((flux.astype(np.float32), variance.astype(np.float32)))
    blank = np.arange(len(light)) >= len(levels)
    # What is common to the sky fibres has been subtracted with the sky.
    for flux, _ in made:
        flux[blank] -= flux[blank].mean()
    return *made, ~blank, blank


@pytest.mark.parametrize("sky_error", [1.0, -1.0, 0.0])
def test_a_sky_that_is_wrong_in_one_arm_is_told_from_the_scale(sky_error):
    levels = np.geomspace(40.0, 2000.0, 300)
    blue, red, objects, blank = with_skies(levels, sky_error)
    scale = measure_scale(blue, red, objects, blank=blank)
    assert scale.plate == pytest.approx(2.0, abs=3 * scale.error)
    assert scale.error < 0.003
    assert scale.offset == pytest.approx(-2.0 * sky_error, abs=3 * scale.offset_error)
    assert 0 < scale.offset_error < 0.6
    believed = measure_scale(blue, red, objects)
    assert believed.offset == believed.offset_error == 0.0
    if sky_error:
        assert abs(believed.plate - 2.0) > 3 * abs(scale.plate - 2.0)


def test_pixels_of_unbounded_variance_tell_nothing():
    blue, red, objects, blank = with_skies(np.geomspace(40.0, 2000.0, 300), 0.0)
    whole = measure_scale(blue, red, objects, blank=blank)
    blue[1][np.nonzero(blank)[0][:5], 30:33] = np.inf
    blue[1][:100, 70] = np.inf
    scale = measure_scale(blue, red, objects, blank=blank)
    assert scale.plate == pytest.approx(whole.plate, abs=whole.error)
    assert scale.offset_error == pytest.approx(whole.offset_error, rel=0.2)


def test_objects_of_one_brightness_leave_open_what_the_sky_fibres_leave_open():
    pulls, unaware = [], []
    for seed in range(30):
        # Eight sky fibres of such noise leave this much in the mean of the overlap.
        wrong = np.sqrt(130.0 / 150.0 / 8.0) * np.random.default_rng(seed).normal()
        blue, red, objects, blank = with_skies(np.full(200, 100.0), wrong, seed=seed)
        scale, other = measure_scale(blue, red, objects, blank=blank), measure_scale(blue, red, objects)
        pulls.append((scale.plate - 2.0) / scale.error)
        unaware.append((other.plate - 2.0) / other.error)
        assert abs(scale.offset) < scale.offset_error
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 1.5
    assert np.sqrt(np.mean(np.square(unaware))) > 3.0


def test_a_lamp_that_no_dichroic_shares_tells_nothing():
    light = np.exp(np.linspace(0.0, 0.5, 900))
    blue, red = light.copy(), light * np.exp(np.linspace(0.0, 0.1, 900))
    blue[500:], red[:300] = np.nan, np.nan
    assert lamp_dichroic(blue, red, slice(300, 500), 150) is None
    share = 1.0 / (1.0 + np.exp((np.arange(900) - 400.0) / 40.0))
    ripple = 1.0 + 0.4 * np.sin(np.arange(900) / 9.0)
    blue, red = light * share * ripple, light * (1.0 - share) * ripple
    blue[500:], red[:300] = np.nan, np.nan
    assert lamp_dichroic(blue, red, slice(300, 500), 150) is None
    assert lamp_dichroic(blue / ripple, red / ripple, slice(300, 500), 150).scale == pytest.approx(
        1.0, abs=0.01
    )


def shared_lamp(steepness: str):
    """A lamp that a dichroic shares over 180 pixels: both arms, the blue share and either arm's sensitivity."""
    x = np.arange(900.0)
    step = (x - 455.0) / 42.0
    share = expit(-step) if steepness == "logistic" else ndtr(-0.7 * step)
    lamp = 1.0 + 0.0012 * x
    seen_blue, seen_red = (
        0.11 * np.exp(-(((x - 150.0) / 900.0) ** 2)),
        0.15 * np.exp(-(((x - 850.0) / 1300.0) ** 2)),
    )
    blue, red = lamp * seen_blue * share, lamp * seen_red * (1.0 - share)
    blue[545:], red[:355] = np.nan, np.nan
    return blue, red, share, seen_blue, seen_red


@pytest.mark.parametrize("steepness", ["logistic", "error function"])
def test_the_lamp_tells_the_scale_however_the_dichroic_ends(steepness):
    blue, red, share, seen_blue, seen_red = shared_lamp(steepness)
    found = lamp_dichroic(blue, red, slice(360, 540), 250)
    even = int(np.argmin(np.abs(share - 0.5)))
    assert found.scale == pytest.approx(seen_blue[even] / seen_red[even], rel=0.01)


@pytest.mark.parametrize(("steepness", "largest"), [("logistic", 0.002), ("error function", 0.005)])
def test_the_lamp_tells_what_the_dichroic_takes_beside_the_overlap(steepness, largest):
    blue, red, share, seen_blue, seen_red = shared_lamp(steepness)
    found = lamp_dichroic(blue, red, slice(360, 540), 250)
    even = int(np.argmin(np.abs(share - 0.5)))
    # Red light on the blue scale, over blue light; at the wavelength where the shares are alike the scale is tested above.
    ratio = (1.0 - share) / share * seen_red / seen_blue
    ratio *= np.exp(found.log_ratio[even]) / ratio[even]
    left, right = slice(210, 360), slice(540, 690)
    wrong = [found.blue[left] / (1.0 + ratio[left]), found.red[right] / (1.0 + 1.0 / ratio[right])]
    assert np.abs(np.array(wrong) - 1.0).max() < largest


def test_a_narrow_fault_of_the_lamp_beside_the_overlap_is_not_the_dichroic():
    blue, red, *_ = shared_lamp("error function")
    sound = lamp_dichroic(blue, red, slice(360, 540), 250)
    faulty_blue, faulty_red = blue.copy(), red.copy()
    faulty_blue[308:311] *= 0.5
    faulty_red[590:593] *= 1.5
    found = lamp_dichroic(faulty_blue, faulty_red, slice(360, 540), 250)
    left, right = slice(210, 360), slice(540, 690)
    assert found.blue[left] == pytest.approx(sound.blue[left], rel=0.005)
    assert found.red[right] == pytest.approx(sound.red[right], rel=0.005)
