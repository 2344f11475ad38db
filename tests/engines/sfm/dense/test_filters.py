"""The picture operations that OpenCV does."""

import numpy as np
import pytest

from vggt_addon.engines.sfm.dense.filters import (
    enlarge,
    grey,
    largest_around,
    local_mean,
    sample_linear,
    sample_nearest,
    shrink,
    without_speckles,
)


def ramp(shape: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.asarray(3 * columns + 5 * rows, dtype=np.float32)


def test_sampling_has_pixel_centres_at_integers() -> None:
    x, y = np.array([[2.0, 2.25, 7.6]], np.float32), np.array([[1.0, 3.5, 2.0]], np.float32)
    np.testing.assert_allclose(sample_linear(ramp((6, 8)), x, y), [[11, 24.25, 31]], atol=0.01)  # border repeated
    np.testing.assert_array_equal(sample_nearest(ramp((6, 8)), x, np.rint(y)), [[11, 26, 31]])


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_resizing_keeps_pixel_edges_in_place(size: tuple[int, int]) -> None:
    """A ramp over the picture stays the same ramp: value = 3 (x - 0.5) + 5 (y - 0.5) at centres (x, y)."""
    large = (2 * size[0], 2 * size[1])
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    expected = 3 * (2 * columns + 0.5) + 5 * (2 * rows + 0.5)
    np.testing.assert_allclose(shrink(ramp(large), size), expected)
    np.testing.assert_allclose(enlarge(shrink(ramp(large), size), large)[2:-2, 2:-2], ramp(large)[2:-2, 2:-2])


def test_windows() -> None:
    point = np.zeros((9, 9), np.float32)
    point[4, 4] = 1
    mean = local_mean(point, 2, 1.0)
    assert mean.sum() == pytest.approx(1) and mean[4, 4] > mean[4, 5] > mean[4, 6] > mean[4, 7] == 0
    np.testing.assert_array_equal(largest_around(point, 2)[2:7, 2:7], 1)
    assert largest_around(point, 2).sum() == 25


def test_grey_of_white_and_black() -> None:
    np.testing.assert_allclose(grey(np.array([[[255] * 3, [0] * 3]], np.uint8)), [[1, 0]])


def test_small_patches_are_speckles_unless_they_join_a_surface() -> None:
    surface = np.full((20, 20), 50, np.float32)
    surface[:, 10:] = 0  # unknown
    surface[3:5, 3:5] = 54  # a speck on the surface
    surface[10:12, 14:16] = 50  # a speck in the unknown
    surface[0:6, 14:20] = 2  # a patch that is large enough
    surface[12, :10] = 50.9  # a step that the surface may have
    kept = without_speckles(surface, 20, 1.0)
    expected = surface > 0
    expected[3:5, 3:5] = expected[10:12, 14:16] = False
    np.testing.assert_array_equal(kept, expected)


def test_small_values_are_not_joined_with_the_unknown() -> None:
    values = np.zeros((10, 10), np.float32)
    values[5, 5] = 0.01
    assert not without_speckles(values, 5, 1.0).any()
