from __future__ import annotations

import numpy as np
import pytest

from quicklook.errors import InvalidInput
from quicklook.stack import combine_images


def frames(n, *, noise=4.0, shape=(60, 50)):
    rng = np.random.default_rng(1)
    return [(10 + noise * rng.standard_normal(shape)).astype(np.float32) for _ in range(n)]


def test_mean_and_its_variance():
    images = frames(9)
    stack = combine_images(images, [np.full((60, 50), 16.0, dtype=np.float32)] * 9)
    assert stack.data == pytest.approx(np.mean(images, axis=0), abs=2.5)
    assert np.median(stack.variance) == pytest.approx(16 / 9, rel=0.01)
    assert np.std(stack.data - 10) == pytest.approx(4 / 3, rel=0.1)


def test_without_variances_the_scatter_tells():
    stack = combine_images(frames(25), [None] * 25)
    assert np.mean(stack.variance) == pytest.approx(16 / 25, rel=0.1)


def test_outliers_are_left_out():
    images = frames(5)
    images[2][10, 10] += 5000
    images[4][3, :] = np.nan
    stack = combine_images(images, [np.full((60, 50), 16.0, dtype=np.float32)] * 5)
    assert abs(stack.data[10, 10] - 10) < 10
    assert 1 <= stack.rejected < 5
    assert np.isfinite(stack.data).all()
    assert np.median(stack.variance[3]) == pytest.approx(4.0, rel=0.01)


def test_a_pixel_that_is_bad_in_all_is_bad():
    images = frames(3)
    for image in images:
        image[0, 0] = np.nan
    stack = combine_images(images, [None] * 3)
    assert np.isnan(stack.data[0, 0])
    assert np.isnan(stack.variance[0, 0])


def test_one_image_is_itself():
    image = frames(1)[0]
    stack = combine_images([image], [np.full((60, 50), 16.0, dtype=np.float32)])
    assert np.array_equal(stack.data, image)
    assert (stack.variance == 16.0).all()


def test_different_read_outs_and_nothing_are_refused():
    with pytest.raises(InvalidInput, match="one read-out"):
        combine_images([np.zeros((4, 4), np.float32), np.zeros((4, 5), np.float32)], [None, None])
    with pytest.raises(InvalidInput, match="no images"):
        combine_images([], [])


def test_pixels_that_agree_need_no_sorting_and_others_get_it():
    images = frames(10, noise=4.0, shape=(300, 40))
    images[7][150, 20] += 300.0
    spread = [np.full((300, 40), 16.0, dtype=np.float32)] * 10
    stack = combine_images(images, spread)
    cube = np.array(images, dtype=np.float64)
    middle = np.median(cube, axis=0)
    # The lower half of the distances tells the scatter; it only ever widens the limit.
    kept = np.abs(cube - middle) <= 16.0
    close = kept.all(axis=0)
    assert close.mean() > 0.95
    assert stack.data[close] == pytest.approx(cube.mean(axis=0)[close], rel=1e-5)
    assert stack.data[150, 20] == pytest.approx(np.delete(cube[:, 150, 20], 7).mean(), rel=1e-5)


def test_levels_are_medians_of_every_third_pixel_whatever_the_bands():
    image = frames(1, shape=(300, 41))[0]
    stack = combine_images([image], [np.full((300, 41), 16.0, dtype=np.float32)])
    assert stack.levels == pytest.approx((np.median(image[::3, ::3]),), rel=1e-6)
